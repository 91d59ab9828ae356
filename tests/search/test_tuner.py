"""From a trial's values to a run, and what becomes of its errors."""

import errno

import keras_tuner
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.search import tuner as tuner_module
from qssl_tf.search.plan import Plan
from qssl_tf.search.results import table
from qssl_tf.search.space import Choice, Range
from qssl_tf.search.tuner import Tuner, make_oracle, trial_config

BASE = Config(validation_fraction=0.2)


def a_plan(algorithm="random", base=BASE):
    trials = None if algorithm == "hyperband" else 3
    return Plan(base, {"batch_size": Choice((64, 256)), "temperature": Range(0.1, 1.0)}, algorithm, trials, "loss", 0)


def first_trial(plan, folder):
    oracle = make_oracle(plan)
    return Tuner(plan, oracle, folder), oracle.create_trial("w")


def test_a_trial_is_the_base_with_its_values(tmp_path):
    plan = a_plan()
    _, trial = first_trial(plan, tmp_path)
    config = trial_config(plan, trial.hyperparameters)
    assert set(line.split(":")[0] for line in config.differences(BASE)) <= {"batch_size", "temperature"}
    assert config.temperature == pytest.approx(trial.hyperparameters.values["temperature"], rel=1e-3)


def test_hyperband_gives_parts_of_the_steps(tmp_path):
    plan = a_plan("hyperband", Config(validation_fraction=0.2, epochs=9))
    _, trial = first_trial(plan, tmp_path)
    values = trial.hyperparameters
    for units, epochs in ((1, 1), (3, 3), (9, 9)):
        values.values["tuner/epochs"] = units
        config = trial_config(plan, values)
        assert config.steps == epochs * (1149 // config.batch_size)  # 1149 training images are left
    plan = a_plan("hyperband", Config(validation_fraction=0.2, steps=100))
    values.values["tuner/epochs"] = 1
    assert trial_config(plan, values).steps == 12  # 100 / 9, rounded up


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UserError("`width` is odd."), "`width` is odd."),
        (ValueError("one\ntwo"), "ValueError: one"),
        (MemoryError(), "MemoryError: no message"),
    ],
)
def test_a_trial_that_fails_is_kept_with_its_reason(tmp_path, monkeypatch, error, reason):
    def fails(config, folder):
        raise error

    monkeypatch.setattr(tuner_module, "run_trial", fails)
    plan = a_plan()
    oracle = make_oracle(plan)
    Tuner(plan, oracle, tmp_path).search()
    rows = table(plan, oracle, tmp_path)
    assert [(row.state, row.reason) for row in rows] == [("failed", reason)] * 3
    told = (tmp_path / "trials" / "trial-0000" / "failure.txt").read_text()
    assert ("Traceback" in told) == (not isinstance(error, UserError))


def test_a_full_disk_ends_the_search_and_keeps_the_trial(tmp_path, monkeypatch):
    def full(config, folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tuner_module, "run_trial", full)
    plan = a_plan()
    with pytest.raises(keras_tuner.errors.FatalError) as caught:
        Tuner(plan, make_oracle(plan), tmp_path).search()
    assert isinstance(caught.value.__cause__, OSError)
    again = make_oracle(plan)
    Tuner(plan, again, tmp_path)
    assert again.create_trial("w").trial_id == "0"
