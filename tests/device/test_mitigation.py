"""Mitigation on errors whose form is known, and its standard errors by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from qssl_tf.device.layouts import layout_seed
from qssl_tf.device.mitigation import MITIGATIONS, Measured, Products, affine_fit
from qssl_tf.device.options import METHODS

RNG = np.random.default_rng(0)
EXACT = RNG.uniform(-0.8, 0.8, (60, 3))
SLOPE, OFFSET = np.array([0.6, 0.8, 0.4]), np.array([0.05, -0.1, 0.2])
MANY = 10**15  # shots that leave no noise


def damaged(exact):
    return exact * SLOPE + OFFSET


def measured(**changes):
    parts = {"rows": damaged(EXACT), "calibration": damaged(EXACT[:40]), "exact": EXACT[:40]}
    return Measured(**parts | {"contrast": np.ones(3), "shots": MANY} | changes)


def sampled(means, shots, rng):
    return 2 * rng.binomial(shots, np.clip((1 + means) / 2, 0, 1)) / shots - 1


def test_an_affine_error_is_undone():
    estimates, errors = MITIGATIONS["affine"](measured())
    np.testing.assert_allclose(estimates, EXACT, atol=1e-9)
    np.testing.assert_allclose(errors, 0, atol=1e-6)


def test_without_noise_the_line_is_least_squares():
    scattered = damaged(EXACT) + 0.05 * RNG.normal(size=EXACT.shape)
    slope, offset = affine_fit(scattered, EXACT, MANY)
    for column in range(3):
        judge = np.polyfit(scattered[:, column], EXACT[:, column], 1)
        assert (slope[column], offset[column]) == pytest.approx(tuple(judge))


@pytest.mark.parametrize(("true", "shots"), [(1.0, 100), (0.6, 400)])
def test_shot_noise_does_not_flatten_the_line(true, shots):
    """50 rows as in a device run; least squares through the same values is 9 % too flat here."""
    rng, times = np.random.default_rng(2), 2000
    exact = np.clip(rng.normal(0, 0.3, (50, times)), -0.95, 0.95)
    found = sampled(true * exact + 0.05, shots, rng)
    slope, _ = affine_fit(found, exact, shots)
    flat = np.array([np.polyfit(found[:, n], exact[:, n], 1)[0] for n in range(times)]) * true
    share = np.mean(1 - found**2) / shots / np.mean(np.var(true * exact, axis=0))
    # Five standard errors, and what is of the next order in 1/50: 2 share for the flat line, 2 share^2 for ours.
    error = 5 * np.std(flat) / math.sqrt(times) + 2 * share / 50
    assert np.mean(flat) == pytest.approx(1 / (1 + share), abs=error)
    error = 5 * np.std(slope) * true / math.sqrt(times) + 2 * share**2 / 50
    assert np.mean(slope) * true == pytest.approx(1, abs=error)


def test_a_line_in_nothing_but_noise_stays_finite():
    """Spread minus noise is negative for half of such values; no line through them may be steeper than their noise."""
    rng = np.random.default_rng(3)
    exact, found = rng.normal(0, 0.3, (50, 500)), sampled(np.zeros((50, 500)), 100, rng)
    slope, _ = affine_fit(found, exact, 100)
    products = np.sum((found - found.mean(axis=0)) * (exact - exact.mean(axis=0)), axis=0)
    noise = np.mean(1 - found**2, axis=0) / 99
    assert np.all(np.abs(slope) <= np.abs(products) / (math.sqrt(2 * 49) * noise) + 1e-9)
    assert np.any(np.var(found, axis=0) < noise)


def test_a_calibration_without_spread_gives_its_mean():
    same = measured(calibration=np.full((5, 3), 0.1), exact=np.full((5, 3), 0.3))
    np.testing.assert_allclose(MITIGATIONS["affine"](same)[0], 0.3)


def test_readout_errors_are_undone():
    contrast = np.array([0.9, 0.8, 0.72])
    seen = measured(rows=EXACT * contrast, contrast=contrast)
    np.testing.assert_allclose(MITIGATIONS["readout"](seen)[0], EXACT, atol=1e-12)


@pytest.mark.parametrize("method", ["readout", "zne"])
def test_both_readout_errors_are_undone_with_errors_that_are_the_spread_of_repeated_runs(method):
    """Z of qubits whose 1 is misread oftener than their 0, 300 device runs of bits drawn and misread one by one."""
    rng, shots, times = np.random.default_rng(6), 400, 300
    gained, lost = np.array([0.01, 0.05, 0.0]), np.array([0.09, 0.2, 0.3])
    exact, shift, contrast = EXACT[:20], lost - gained, 1 - gained - lost
    damping = {"readout": (1.0, 1.0), "zne": (0.9, 0.7)}[method]  # of the gates, once and three times

    def apart(means):
        shape = (shots, *means.shape)
        ones = rng.random(shape) < (1 - means) / 2
        seen = 1 - 2.0 * (ones ^ (rng.random(shape) < np.where(ones, lost, gained)))
        return Products((seen - shift).mean(axis=0), ((seen - shift) ** 2).mean(axis=0))

    runs = []
    for _ in range(times):
        once, thrice = (apart(factor * exact) for factor in damping)
        parts = {"rows": once.means + shift, "amplified": thrice.means + shift, "contrast": contrast, "shots": shots}
        runs.append(MITIGATIONS[method](measured(**parts, apart=once, amplified_apart=thrice)))
    estimates, errors = (np.array(part) for part in zip(*runs, strict=True))
    spread = np.std(estimates, axis=0, ddof=1)
    assert np.all(np.abs(estimates.mean(axis=0) - exact) < 5 * spread / math.sqrt(times))
    ratio = np.mean(errors**2) / np.mean(spread**2)
    assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / (times * exact.size)) + 9 / shots * 2)


def test_extrapolation_is_exact_for_linear_damping():
    seen = measured(rows=EXACT * 0.9, amplified=EXACT * 0.7)
    np.testing.assert_allclose(MITIGATIONS["zne"](seen)[0], EXACT, atol=1e-12)


# What a device makes of an exact value, once and with its gates three times, so that each of these undoes it.
DAMPED = {
    "none": (1.0, 1.0),
    "readout": (np.array([0.9, 0.8, 0.7]), 1.0),
    "zne": (0.8 * np.array([0.9, 0.8, 0.7]), 0.4 * np.array([0.9, 0.8, 0.7])),
}


@pytest.mark.parametrize("method", DAMPED)
def test_standard_errors_are_the_spread_of_repeated_runs(method):
    rng, shots, times = np.random.default_rng(4), 400, 300
    once, thrice = (factor * EXACT for factor in DAMPED[method])
    contrast = np.ones(3) if method == "none" else np.array([0.9, 0.8, 0.7])
    runs = []
    for _ in range(times):
        seen = measured(rows=sampled(once, shots, rng), amplified=sampled(thrice, shots, rng), contrast=contrast,
                        shots=shots)  # fmt: skip
        runs.append(MITIGATIONS[method](seen))
    estimates, errors = (np.array(part) for part in zip(*runs, strict=True))
    ratio = np.mean(errors**2) / np.mean(np.var(estimates, axis=0, ddof=1))
    # The two measurements that are added of either kind widen 1 - z^2 by 8 z^2 / shots.
    wider = 8 / shots * np.mean(once**2) / np.mean(1 - once**2)
    assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / (times * EXACT.size)) + wider + 1 / shots)


def test_extrapolation_knows_the_shots_of_both_circuits():
    """The variance of 1.5 a - 0.5 b where a has 400 and b 1,600 shots, both around 0."""
    zeros = np.zeros((1, 3))
    seen = measured(rows=zeros, amplified=zeros, shots=400, amplified_shots=1600)
    np.testing.assert_allclose(MITIGATIONS["zne"](seen)[1], math.sqrt(1.5**2 / 400 + 0.5**2 / 1600))


@pytest.mark.parametrize("scatter", [0.0, 0.03])
@pytest.mark.parametrize("shots", [100, 1000])
def test_exact_values_lie_within_the_errors_as_often_as_those_say(shots, scatter):
    """The share within 1.96 standard errors, over 1,000 device runs; `scatter` is a device's error that is no line.

    Where the scatter outweighs the shots it is estimated from 50 rows and 2 parameters, and the share is that of
    Student's t with 48 degrees of freedom, 94.4 %. Where there is none, its estimate is what exceeds 0 of the noise of
    48 squares: sqrt(2 / 48) / sqrt(2 pi) = 8 % of the variance on average, intervals wider by 4 %, a share of 95.9 %.
    """
    rng, times = np.random.default_rng(5), 1000
    held = []
    for _ in range(times):
        exact = np.clip(rng.normal(0.1, 0.3, (70, 3)), -0.95, 0.95)
        found = sampled(damaged(exact) + scatter * rng.normal(size=exact.shape), shots, rng)
        estimates, errors = MITIGATIONS["affine"](Measured(found[50:], found[:50], exact[:50], np.ones(3), shots))
        held.append(np.mean(np.abs(estimates - exact[50:]) <= 1.959964 * errors))
    share, error = np.mean(held), np.std(held) / math.sqrt(times)
    low, high = 2 * stats.t.cdf(1.96, 48) - 1, 0.95 + 2 * 1.96 * stats.norm.pdf(1.96) * 0.04
    assert low - 5 * error <= share <= high + 5 * error


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31 - 1])
def test_layouts_are_tried_with_noise_of_their_own(seed):
    assert not 0 <= layout_seed(seed) - 1000 * seed < 100_000  # the seeds of the run's jobs
    assert 0 <= layout_seed(seed) < 2**31 - 1


def test_every_word_that_may_be_asked_for_is_there():
    assert set(METHODS) == set(MITIGATIONS)
