"""Figures of collapse against NumPy's eigenvalues and closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.models.collapse import effective_rank, relative_std


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("n", "d"), [(200, 6), (5, 30)])
def test_both_figures_are_their_definitions(n, d):
    rows = np.random.default_rng(n).normal(size=(n, d)) * np.geomspace(1, 0.05, d) + 0.3
    directions = unit(rows)
    spectrum = np.clip(np.linalg.eigvalsh(np.cov(directions.T, bias=True)), 0, None)
    rank, std = effective_rank(tf.constant(rows, tf.float32)), relative_std(tf.constant(rows, tf.float32))
    assert float(rank) == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum(), rel=1e-4)
    assert float(std) == pytest.approx(np.sqrt(d) * directions.std(axis=0).mean(), rel=1e-5)
    share = spectrum[spectrum > 0] / spectrum.sum()
    assert float(rank) <= np.exp(-(share * np.log(share)).sum()) + 1e-4  # Roy and Vetterli's


def test_random_directions_have_a_std_of_one_and_full_rank():
    rows = tf.random.stateless_normal((20_000, 8), (0, 0))
    assert float(relative_std(rows)) == pytest.approx(1, abs=0.01)
    assert float(effective_rank(rows)) == pytest.approx(8, abs=0.05)


@pytest.mark.parametrize("n", [6, 100])
def test_equal_rows_and_rows_along_a_line_are_told(n):
    alike = tf.tile([[1.0, 2.0, -3.0, 0.5] * 4], (n, 1)) * tf.random.stateless_uniform((n, 1), (0, 1), 1.0, 2.0)
    assert float(relative_std(alike)) < 1e-5 and float(effective_rank(alike)) == 0
    ends = tf.where(tf.range(n)[:, tf.newaxis] % 2 == 0, alike, -alike)
    assert float(effective_rank(ends)) == pytest.approx(1, abs=1e-5)
    assert float(relative_std(ends)) == pytest.approx(2 * (1.625 / np.sqrt(14.25)), rel=1e-5)  # sqrt(4) mean |u|


def test_rows_of_zeros_and_half_precision_are_no_trouble():
    assert float(relative_std(tf.zeros((4, 3)))) == 0 and float(effective_rank(tf.zeros((4, 3)))) == 0
    rows = tf.random.stateless_normal((64, 8), (1, 0))
    assert float(effective_rank(tf.cast(rows, tf.bfloat16))) == pytest.approx(float(effective_rank(rows)), rel=0.02)
