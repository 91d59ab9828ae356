"""What a kill can leave, whether every way to choose trials goes on from it, and trials that end twice."""

import itertools
import json
import threading

import pytest
from keras_tuner.engine.hyperparameters import Choice as Entry
from keras_tuner.engine.trial import Trial

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.search.oracles import ORACLES, planned
from qssl_tf.search.plan import Plan
from qssl_tf.search.space import Choice, Range, combinations
from qssl_tf.search.tuner import Tuner, make_oracle

BASE = Config(validation_fraction=0.2)
PARAMETERS = {
    "shots": Choice((None, 100)),
    "gradient": Choice(("adjoint", "parameter_shift"), {"shots": (100,)}),
    "layers": Choice((1, 2, 3)),
}


def a_plan(algorithm, trials=6, parameters=None):
    trials = None if algorithm in ("grid", "hyperband") else trials
    return Plan(BASE, parameters or PARAMETERS, algorithm, trials, "validation_accuracy", search_seed=3)


def opened(plan, folder):
    oracle = make_oracle(plan)
    Tuner(plan, oracle, folder)
    return oracle


def step(oracle, accuracy=None, worker="w"):
    """Take a trial and end it; return its number, or None where there are no more.

    Its accuracy is its number, or the value of the parameter that is named.
    """
    trial = oracle.create_trial(worker)
    if trial.status != "RUNNING":
        return None
    number = int(trial.trial_id)
    found = number if accuracy is None else trial.hyperparameters.values[accuracy]
    oracle.update_trial(trial.trial_id, {"validation_accuracy": float(found)})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    return number


def values(oracle):
    return [json.dumps(oracle.trials[name].hyperparameters.values, sort_keys=True) for name in oracle.start_order]


@pytest.mark.parametrize("algorithm", ORACLES)
def test_a_search_that_is_reopened_after_each_trial_is_a_whole_search(algorithm, tmp_path):
    endless = {"temperature": Range(0.1, 1.0)}  # or hyperband ends when it has drawn every combination
    # Each choice of the Gaussian process takes seconds: one beyond its random points will do.
    trials = 4 if algorithm == "bayesian" else 6
    plan = a_plan(algorithm, trials, parameters=PARAMETERS | ({} if algorithm == "grid" else endless))
    straight = opened(plan, tmp_path / "straight")
    while step(straight) is not None:
        pass
    for _ in range(1000):
        broken = opened(plan, tmp_path / "broken")
        if step(broken) is None:
            break
    assert len(values(broken)) == len(values(straight)) and set(broken.end_order) == set(broken.start_order)
    if algorithm != "bayesian":  # its Gaussian process draws its starting points anew
        assert values(broken) == values(straight)
    assert len(values(straight)) == planned(straight, combinations(plan.parameters))


def test_the_grid_is_every_combination_once(tmp_path):
    oracle = opened(a_plan("grid"), tmp_path)
    while step(oracle) is not None:
        pass
    gradients = [("null", None), ("100", "adjoint"), ("100", "parameter_shift")]
    wanted = {(s, g, layers) for (s, g), layers in itertools.product(gradients, (1, 2, 3))}
    found = [oracle.trials[name].hyperparameters for name in oracle.start_order]
    assert len(found) == 9
    assert {
        (
            v.values["shots"],
            json.loads(v.values["gradient"]) if v.values["shots"] == "100" else None,
            v.values["layers"],
        )
        for v in found
    } == wanted
    assert all(isinstance(entry, Entry) for entry in found[0].space)


@pytest.mark.parametrize("algorithm", ORACLES)
def test_a_trial_in_flight_is_handed_out_again(algorithm, tmp_path):
    plan = a_plan(algorithm)
    first = opened(plan, tmp_path)
    step(first)
    in_flight = first.create_trial("w")
    again = opened(plan, tmp_path).create_trial("another")
    assert again.trial_id == in_flight.trial_id
    assert again.hyperparameters.values == in_flight.hyperparameters.values


def test_a_kill_before_a_trial_was_handed_out(tmp_path):
    """Its own file is written before the oracle's: as if the second write never came."""
    plan = a_plan("random")
    oracle = opened(plan, tmp_path)
    step(oracle)
    state = (tmp_path / "keras_tuner" / "oracle.json").read_text()
    lost = oracle.create_trial("w")
    (tmp_path / "keras_tuner" / "oracle.json").write_text(state)
    again = opened(plan, tmp_path)
    assert list(again.trials) == ["0"]
    assert again.create_trial("w").hyperparameters.values == lost.hyperparameters.values


def test_a_kill_after_a_trial_ended_and_before_that_was_noted(tmp_path):
    plan = a_plan("random")
    oracle = opened(plan, tmp_path)
    trial = oracle.create_trial("w")
    state = (tmp_path / "keras_tuner" / "oracle.json").read_text()
    oracle.update_trial(trial.trial_id, {"validation_accuracy": 5.0})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    (tmp_path / "keras_tuner" / "oracle.json").write_text(state)
    again = opened(plan, tmp_path)
    assert again.end_order == ["0"] and again.trials["0"].score == 5.0
    assert again.create_trial("w").trial_id == "1"


class Told:
    def __init__(self):
        self.lines = []

    def begun(self, trial):
        self.lines.append(("begun", trial.trial_id))

    def ended(self, trial):
        self.lines.append(("ended", trial.trial_id, trial.score))

    def lost(self, trial):
        self.lines.append(("lost", trial.trial_id))


def test_a_silent_workers_trial_goes_to_another_and_counts_once(tmp_path):
    oracle = opened(a_plan("random", trials=1), tmp_path)
    oracle.watcher = told = Told()
    slow = oracle.create_trial("slow")
    assert oracle.create_trial("idle").status == "IDLE"  # not STOPPED: the trial that is out may come back
    oracle.requeue_silent(60)
    assert oracle.create_trial("idle").status == "IDLE"
    oracle.requeue_silent(0)
    quick = oracle.create_trial("quick")
    assert quick.trial_id == slow.trial_id
    for trial, accuracy in ((quick, 7.0), (slow, 7.0)):  # the slow one was alive after all
        oracle.update_trial(trial.trial_id, {"validation_accuracy": accuracy})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert oracle.create_trial("quick").status == "STOPPED"
    assert told.lines == [("begun", "0"), ("lost", "0"), ("begun", "0"), ("ended", "0", 7.0)]
    assert oracle.end_order == ["0"] and not oracle.ongoing_trials


def test_signs_of_life_keep_a_trial(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("qssl_tf.search.oracles.time.monotonic", lambda: clock[0])
    oracle = opened(a_plan("random"), tmp_path)
    trial = oracle.create_trial("w")
    for clock[0] in (50.0, 100.0, 150.0):
        oracle.get_trial(trial.trial_id)
        oracle.requeue_silent(60)
    assert oracle.ongoing_trials
    clock[0] = 220.0
    oracle.requeue_silent(60)
    assert not oracle.ongoing_trials


def test_any_number_of_failures_is_survived(tmp_path):
    oracle = opened(a_plan("random"), tmp_path)
    for _ in range(5):
        trial = oracle.create_trial("w")
        trial.status = "FAILED"
        oracle.end_trial(trial)
    assert step(oracle) == 5


def test_hyperband_trains_its_best_for_longer(tmp_path):
    oracle = opened(a_plan("hyperband", parameters={"temperature": Range(0.1, 1.0)}), tmp_path)
    while step(oracle) is not None:
        pass
    units = [oracle.trials[name].hyperparameters.values["tuner/epochs"] for name in oracle.start_order]
    assert set(units) == {1, 3, 9} and units[0] == 1
    promoted = [
        t.hyperparameters.values for t in oracle.trials.values() if "tuner/trial_id" in t.hyperparameters.values
    ]
    for chosen in promoted:
        assert chosen["temperature"] == oracle.trials[chosen["tuner/trial_id"]].hyperparameters.values["temperature"]


def rungs(oracle):
    """Return {bracket: trials in each rung} of a hyperband search."""
    notes = [oracle.trials[name].hyperparameters.values for name in oracle.start_order]
    found = {}
    for note in notes:
        found.setdefault(note["tuner/bracket"], [0] * (note["tuner/bracket"] + 1))[note["tuner/round"]] += 1
    return found


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (1, {2: [1, 1, 1]}),
        (2, {2: [2, 1, 1]}),
        (8, {2: [8, 3, 1]}),
        (9, {2: [9, 3, 1]}),
        (11, {2: [9, 3, 1], 1: [2, 1]}),
        (15, {2: [9, 3, 1], 1: [5, 2], 0: [1]}),
        (23, {2: [9, 3, 1], 1: [5, 2], 0: [3]}),  # keras-tuner's sizes, where combinations do not run out
    ],
)
def test_hyperband_ends_with_all_of_the_steps_however_few_combinations_there_are(tmp_path, choices, expected):
    parameters = {"width": Range(2, 1 + choices) if choices > 1 else Choice((2,))}
    plan = a_plan("hyperband", parameters=parameters)
    oracle = opened(plan, tmp_path)
    wanted = sum(map(sum, expected.values()))
    while True:
        assert planned(oracle, combinations(plan.parameters)) == wanted
        if step(oracle, accuracy="width") is None:
            break
    assert rungs(oracle) == expected
    widths = [oracle.trials[name].hyperparameters.values["width"] for name in oracle.start_order]
    assert widths[sum(expected[2]) - 1] == max(widths[: min(choices, 9)])  # the best of the short trials


@pytest.mark.parametrize(("failing", "expected"), [(1, [9, 3, 1]), (7, [9, 2, 1]), (8, [9, 1, 1]), (9, [9, 0, 0])])
def test_hyperband_goes_on_with_those_that_did_not_fail(tmp_path, failing, expected):
    plan = a_plan("hyperband", parameters={"width": Range(2, 10)})
    oracle = opened(plan, tmp_path)
    for _ in range(failing):
        trial = oracle.create_trial("w")
        trial.status = "FAILED"
        oracle.end_trial(trial)
    while step(oracle) is not None:
        pass
    assert rungs(oracle)[2] == expected
    assert planned(oracle, combinations(plan.parameters)) == len(oracle.start_order)


def test_hyperbands_workers_wait_for_what_may_still_be_better(tmp_path):
    oracle = opened(a_plan("hyperband", parameters={"width": Range(2, 4)}), tmp_path)  # rungs of 3, 1 and 1
    out = [oracle.create_trial(f"w{number}") for number in range(3)]
    assert oracle.create_trial("w3").status == "IDLE"
    for trial, accuracy in zip(out[:2], (5.0, 9.0), strict=True):
        oracle.update_trial(trial.trial_id, {"validation_accuracy": accuracy})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert oracle.create_trial("w3").status == "IDLE"  # the third may have 10
    oracle.update_trial(out[2].trial_id, {"validation_accuracy": 1.0})
    out[2].status = "COMPLETED"
    oracle.end_trial(out[2])
    assert oracle.create_trial("w3").hyperparameters.values["tuner/trial_id"] == out[1].trial_id


@pytest.mark.parametrize("algorithm", ["random", "grid", "hyperband"])
def test_every_combination_is_found_and_counted(tmp_path, algorithm):
    """3 layers x (no shots, or 100 of them with either gradient): 9, of which the last is drawn after many others."""
    plan = a_plan(algorithm, trials=50)
    oracle = opened(plan, tmp_path)
    while step(oracle) is not None:
        pass
    assert combinations(plan.parameters) == 9
    assert len(oracle.start_order) == planned(oracle, 9) == (13 if algorithm == "hyperband" else 9)


def test_a_missing_trial_is_named(tmp_path):
    plan = a_plan("random")
    step(opened(plan, tmp_path))
    (tmp_path / "keras_tuner" / "trial_0" / "trial.json").unlink()
    with pytest.raises(
        UserError,
        match=r"damaged \(oracle\.json names trial 0, which is not there\); restore it or start",
    ):
        opened(plan, tmp_path)


def test_a_damaged_folder_is_named_and_kept(tmp_path):
    plan = a_plan("random")
    step(opened(plan, tmp_path))
    path = tmp_path / "keras_tuner" / "oracle.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(UserError, match=r"keras_tuner is damaged .*; restore it or start another search\.$"):
        opened(plan, tmp_path)
    assert len(path.read_text()) == 40


def test_what_fails_within_an_oracle_keeps_nobody_else_out(tmp_path, monkeypatch):
    """keras-tuner's own lock stays taken where a method raises: a trial that there is not, or a full disk."""
    oracle = opened(a_plan("random"), tmp_path)
    trial = oracle.create_trial("w")

    def full():
        raise OSError("No space left on device")

    def elsewhere(call):
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    with pytest.raises(KeyError):
        oracle.end_trial(Trial(trial.hyperparameters, trial_id="77", status="COMPLETED"))
    elsewhere(lambda: oracle.requeue_silent(60))
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(oracle, "save", full)
        oracle.create_trial("other")
    elsewhere(lambda: oracle.requeue_silent(60))
    elsewhere(lambda: step(oracle, worker="w"))
    assert oracle.end_order == ["0"]


def test_figures_that_are_told_again_replace_those_before_until_the_trial_has_ended(tmp_path):
    oracle = opened(a_plan("random"), tmp_path)
    trial = oracle.create_trial("w")
    for accuracy in (10.0, 34.72):
        oracle.update_trial("0", {"validation_accuracy": accuracy})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    oracle.update_trial("0", {"validation_accuracy": 99.0})
    kept = json.loads((tmp_path / "keras_tuner" / "trial_0" / "trial.json").read_text())
    assert oracle.trials["0"].score == kept["score"] == 34.72
    assert oracle.trials["0"].metrics.get_last_value("validation_accuracy") == 34.72
