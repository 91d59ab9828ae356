"""Estimates of a study, against what such runs took and left."""

from dataclasses import replace

import pytest

from qssl_tf.studies.costs import Job, expected, megabytes
from qssl_tf.studies.studies import STUDIES, pairs


def job(study, arm, seed=0):
    pair = next(pair for pair in pairs(STUDIES[study], [arm]) if pair.seed == seed)
    batches = STUDIES[study].batches
    return Job("run", pair, batches[-1], batches)


def test_digits_have_a_pace_and_a_size_of_their_own():
    """Nine runs with all probes took 5 minutes on two cores and left 37 MB; a run of the paper 540 MB."""
    jobs = [job("digits", arm, seed) for arm in ("ring", "classical", "identity") for seed in range(3)]
    assert sum(expected(one, []) for one in jobs) == pytest.approx(300, rel=0.5)
    assert sum(megabytes(one, 2) for one in jobs) == pytest.approx(37, rel=0.5)
    assert megabytes(job("paper", "ring"), 3) == pytest.approx(3 * 45 + 2 * 134 + 135, rel=0.05)


def test_a_cell_is_expected_to_take_what_its_finished_runs_took(made_up):
    """194 steps of 1 s and 17 probes of 6 s, beside the start; a step is guessed at 0.4 s."""
    done = made_up("paper", "ring", 0, {(176, "cached"): (40.0, 41.0)}, train_seconds=194.0)
    start = 25 * 2.5
    assert expected(job("paper", "ring", 1), [done]) == pytest.approx(start + 194 + 17 * 6)
    assert expected(replace(job("paper", "ring", 1), steps=0, batches=(176,)), [done]) == pytest.approx(start + 6)
    assert expected(job("paper", "classical"), [done]) == pytest.approx(2.5 * (25 + 194 * 0.4 + 17 * 6))
