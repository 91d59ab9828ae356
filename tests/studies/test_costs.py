"""Estimates of time and disk space, against what such runs took."""

from dataclasses import replace

import pytest

from qssl_tf.studies.costs import expected_seconds, megabytes
from qssl_tf.studies.jobs import Job
from qssl_tf.studies.studies import STUDIES, run_specs


def job(study, arm, seed=0):
    spec = next(spec for spec in run_specs(STUDIES[study], [arm]) if spec.seed == seed)
    batches = STUDIES[study].batches
    return Job("run", spec, batches[-1], batches)


def test_digits_have_typical_costs_of_their_own():
    """Nine runs with all probes took 5 minutes on two cores and left 37 MB; a run of the paper 540 MB."""
    jobs = [job("digits", arm, seed) for arm in ("ring", "classical", "identity") for seed in range(3)]
    assert sum(expected_seconds(one, []) for one in jobs) == pytest.approx(300, rel=0.5)
    assert sum(megabytes(one, 2) for one in jobs) == pytest.approx(37, rel=0.5)
    assert megabytes(job("paper", "ring"), 3) == pytest.approx(3 * 45 + 2 * 134 + 135, rel=0.05)


def test_estimates_of_a_condition_follow_its_finished_runs(make_record):
    """194 steps of 1 s and 17 probes of 6 s, and the startup; a step typically takes 0.4 s."""
    finished = make_record("paper", "ring", 0, {(176, "cached"): (40.0, 41.0)}, train_seconds=194.0)
    startup = 25 * 2.5
    assert expected_seconds(job("paper", "ring", 1), [finished]) == pytest.approx(startup + 194 + 17 * 6)
    probe_only = replace(job("paper", "ring", 1), steps=0, batches=(176,))
    assert expected_seconds(probe_only, [finished]) == pytest.approx(startup + 6)
    assert expected_seconds(job("paper", "classical"), [finished]) == pytest.approx(2.5 * (25 + 194 * 0.4 + 17 * 6))
