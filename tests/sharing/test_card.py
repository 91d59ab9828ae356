"""The interval of an accuracy, against Wilson's closed form of 1927 (doi:10.1080/01621459.1927.10502953)."""

import math

import pytest

from qssl_tf.sharing.card import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (330, 360), (3555, 5000), (12, 12)])
def test_wilsons_interval(right, n):
    z, p = 1.959963984540054, right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [100 * (middle + sign * half) / (1 + z * z / n) for sign in (-1, 1)]
    assert wilson(100 * right / n, n) == pytest.approx(expected, abs=1e-9)
