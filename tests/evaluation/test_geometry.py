"""Formulas of the papers, written as slow loops, and values that are known without them."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ortho_group

from qssl_tf.config import Config
from qssl_tf.data.splits import Split
from qssl_tf.evaluation import judges
from qssl_tf.evaluation.geometry import alignment, effective_rank, linear_cka, uniformity


def features(n=40, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * rng.uniform(0.1, 3, d) + rng.normal(size=d)


def unit(row):
    return row / np.sqrt(np.sum(row**2))


def test_alignment_is_the_mean_over_pairs_of_views():
    a, b = features(seed=1), features(seed=2)
    judge = np.mean([np.sum((unit(x) - unit(y)) ** 2) for x, y in zip(a, b, strict=True)])
    assert alignment(a, b) == pytest.approx(judge)
    assert alignment(a, 7 * a) == pytest.approx(0, abs=1e-12) and alignment(a, -a) == pytest.approx(4)


def test_uniformity_is_the_log_of_the_mean_over_pairs():
    x = np.array([unit(row) for row in features()])
    potentials = [
        np.exp(-2 * np.sum((x[i] - x[j]) ** 2)) for i in range(len(x)) for j in range(len(x)) if i != j
    ]  # fmt: skip
    assert uniformity(3 * x) == pytest.approx(np.log(np.mean(potentials)))


def test_uniformity_of_equal_and_of_opposite_points():
    assert uniformity(np.ones((9, 4))) == pytest.approx(0, abs=1e-12)
    assert uniformity(np.array([[1.0, 0.0], [-2.0, 0.0]])) == pytest.approx(-8)


def test_uniformity_of_many_even_points_is_the_integral():
    """On the circle the mean of exp(-2 (2 - 2 cos a)) over all angles is exp(-4) I0(4)."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 3000)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert uniformity(points) == pytest.approx(np.log(np.exp(-4) * np.i0(4)), abs=0.02)


@pytest.mark.parametrize("width", [1, 4, 8])
def test_the_effective_rank_of_orthogonal_features_is_their_width(width):
    columns = np.linalg.qr(np.random.default_rng(0).normal(size=(50, width)))[0]
    assert effective_rank(columns * 1e-3) == pytest.approx(width)
    assert effective_rank(np.outer(columns[:, 0], np.ones(5))) == pytest.approx(1)


def test_the_effective_rank_is_that_of_the_paper():
    """Equations 2 and 3 of arXiv:2210.02885, with their small constant."""
    x, epsilon = features(60, 7), 1e-7
    values = np.sqrt(np.linalg.eigvalsh(x.T @ x))
    p = values / np.sum(np.abs(values)) + epsilon
    assert effective_rank(x) == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-4)


def test_cka_is_that_of_centred_gram_matrices():
    """Section 3 of arXiv:1905.00414: HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of the linear kernel."""
    x, y = features(30, 5, 1), features(30, 3, 2) + features(30, 5, 1)[:, :3]
    centre = np.eye(30) - 1 / 30
    k, ell = (centre @ part @ part.T @ centre for part in (x, y))
    judge = np.trace(k @ ell) / np.sqrt(np.trace(k @ k) * np.trace(ell @ ell))
    assert 0.1 < judge < 0.95 and linear_cka(x, y) == pytest.approx(judge)


def test_cka_knows_no_rotation_scale_or_shift():
    x, y = features(30, 5, 1), features(30, 4, 2)
    turned = 1e-6 * x @ ortho_group.rvs(5, random_state=0) + 3
    assert linear_cka(x, turned) == pytest.approx(1)
    assert linear_cka(turned, y) == pytest.approx(linear_cka(x, y))
    assert linear_cka(y, x) == pytest.approx(linear_cka(x, y))


def test_cka_of_unrelated_columns_is_zero():
    columns = np.linalg.qr(np.concatenate([np.ones((20, 1)), features(20, 6)], axis=1))[0][:, 1:]
    assert linear_cka(columns[:, :3], columns[:, 3:]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("settings", [{"project": False}, {"objective": "fidelity"}])  # both without embeddings
def test_equal_features_have_no_rank_once_their_mean_is_gone(settings, monkeypatch):
    """The mean of 300 times 0.1 is not 0.1 in float32; the rounding that is left has no rank to speak of."""
    equal = np.full((300, 8), 0.1, np.float32)
    assert np.any(equal - equal.mean(axis=0))
    monkeypatch.setattr(judges, "frozen_features", lambda *_: equal)
    images = Split(np.zeros((300, 8, 8, 1), np.uint8), np.zeros(300, np.int64))
    subject = SimpleNamespace(split="test", config=Config(**settings), model=None, judging_images=lambda: images)
    found = dict(judges.rank(subject))
    assert list(found) == ["effective rank of features"]
    assert found["effective rank of features"].value == pytest.approx(1)
