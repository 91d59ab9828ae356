"""The interval of an accuracy, against Wilson's closed form of 1927 (doi:10.1080/01621459.1927.10502953)."""

import math

import pytest

from qssl_tf.evaluation.scores import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (330, 360), (3555, 5000), (12, 12)])
def test_wilsons_interval(right, n):
    z, p = 1.959963984540054, right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [100 * (middle + sign * half) / (1 + z * z / n) for sign in (-1, 1)]
    assert wilson(right, n) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 20, 32, 360, 900, 2000])
def test_an_interval_stays_within_0_and_100(n):
    assert wilson(0, n)[0] == 0.0 and wilson(n, n)[1] == 100.0
