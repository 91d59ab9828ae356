"""Mitigation on errors whose form is known."""

import numpy as np
import pytest

from qssl_tf.hardware.asked import METHODS
from qssl_tf.hardware.mitigation import MITIGATIONS, Measured, affine_fit, standard_errors

RNG = np.random.default_rng(0)
EXACT = RNG.uniform(-0.8, 0.8, (60, 3))
SLOPE, OFFSET = np.array([0.6, 0.8, 0.4]), np.array([0.05, -0.1, 0.2])


def damaged(exact, noise=0.0):
    return exact * SLOPE + OFFSET + noise * RNG.normal(size=exact.shape)


def measured(noise=0.0, **changes):
    parts = {"rows": damaged(EXACT, noise), "calibration": damaged(EXACT[:40], noise), "exact": EXACT[:40]}
    return Measured(**parts | {"contrast": np.ones(3)} | changes)


def test_an_affine_error_is_undone():
    np.testing.assert_allclose(MITIGATIONS["affine"](measured()), EXACT, atol=1e-9)
    slope, offset = affine_fit(damaged(EXACT, 0.01), EXACT)
    for column in range(3):
        judge = np.polyfit(damaged(EXACT, 0.0)[:, column], EXACT[:, column], 1)
        assert slope[column] == pytest.approx(judge[0], abs=0.05)
        assert offset[column] == pytest.approx(judge[1], abs=0.05)


def test_a_calibration_without_spread_gives_its_mean():
    same = Measured(damaged(EXACT), np.full((5, 3), 0.1), np.full((5, 3), 0.3), np.ones(3))
    np.testing.assert_allclose(MITIGATIONS["affine"](same), 0.3)


def test_readout_errors_are_undone():
    contrast = np.array([0.9, 0.8, 0.72])
    seen = measured(rows=EXACT * contrast, contrast=contrast)
    np.testing.assert_allclose(MITIGATIONS["readout"](seen), EXACT, atol=1e-12)


def test_extrapolation_is_exact_for_linear_damping():
    seen = measured(rows=EXACT * 0.9, amplified=EXACT * 0.7)
    np.testing.assert_allclose(MITIGATIONS["zne"](seen), EXACT, atol=1e-12)


@pytest.mark.parametrize("method", MITIGATIONS)
def test_standard_errors_are_the_spread_of_repeated_runs(method):
    shots = 400

    def run():
        exact = np.clip(damaged(EXACT), -1, 1)

        def sample(z):
            return 2 * RNG.binomial(shots, (1 + z) / 2) / shots - 1

        return measured(rows=sample(exact), calibration=sample(exact[:40]), amplified=sample(exact * 0.8))

    spread = np.std([MITIGATIONS[method](run()) for _ in range(300)], axis=0, ddof=1)
    estimated = standard_errors(method, run(), shots, resamples=300)
    assert np.mean(estimated) == pytest.approx(np.mean(spread), rel=0.2)


def test_every_word_that_may_be_asked_for_is_there():
    assert set(METHODS) == set(MITIGATIONS)
