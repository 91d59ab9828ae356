import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.objectives.table import OBJECTIVES
from qssl_tf.training.checkpoints import go_back, load_weights, restore_state, save_state, save_weights, smaller_steps
from qssl_tf.training.fit import build
from qssl_tf.training.history import append_history, start_history
from qssl_tf.training.runs import Run, create_run

SETTINGS = Config(width=3, layers=1, batch_size=16)


@pytest.fixture
def run(tmp_path):
    return create_run(SETTINGS, tmp_path, "run", "digits")


def model_of(run, data, seed=0):
    return build(dataclasses.replace(run.config, seed=seed), data)[0]


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_are_restored(run, digits_data):
    model, other = model_of(run, digits_data), model_of(run, digits_data, seed=1)
    save_weights(run, model, 7)
    load_weights(run, other, 7)
    assert_equal(values(model.weights), values(other.weights))
    assert run.checkpoint(7).stat().st_size < 3 * sum(weight.numpy().nbytes for weight in model.weights)


def test_state_holds_the_optimizer_too(run, digits_data):
    images = digits_data.train.images[:16] / np.float32(255)
    model, other = model_of(run, digits_data), model_of(run, digits_data, seed=1)
    model.train_on_batch(images, images[:, ::-1])
    save_state(run, model, 1)
    assert restore_state(run, other) == 1
    for trained in (model, other):
        trained.train_on_batch(images[:, ::-1], images)
    assert_equal(values(model.weights), values(other.weights))
    assert_equal(values(model.optimizer.variables), values(other.optimizer.variables))


def test_other_settings_are_listed(run, digits_data):
    model = model_of(run, digits_data)
    save_weights(run, model, 1)
    save_state(run, model, 1)
    other = Run(run.folder, dataclasses.replace(SETTINGS, width=4, seed=2))
    for load in (lambda: load_weights(other, model, 1), lambda: restore_state(other, model)):
        with pytest.raises(UserError, match=r"written with other settings \(width: 4 against 3; seed: 2 against 0\)"):
            load()


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten"])
def test_damaged_files_are_refused_in_one_line(run, digits_data, damage):
    model = model_of(run, digits_data)
    save_weights(run, model, 1)
    save_state(run, model, 1)
    for path in (run.checkpoint(1), run.state):
        content = path.read_bytes()
        path.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "overwritten": b"x" * 5000}[damage])
    for load in (lambda: load_weights(run, model, 1), lambda: restore_state(run, model)):
        with pytest.raises(UserError, match="is damaged") as error:
            load()
        assert "\n" not in str(error.value)


def flip_bit(path, position, bit=3):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def test_every_flipped_bit_of_a_weight_is_detected(run, digits_data):
    model = model_of(run, digits_data)
    for step in (1, 8):
        save_weights(run, model, step)
    content, rng = run.checkpoint(8).read_bytes(), np.random.default_rng(0)
    before, detected = values(model.weights), 0
    for position in rng.integers(len(content), size=60):
        flip_bit(run.checkpoint(8), position)
        try:
            load_weights(run, model, 8)
            assert_equal(values(model.weights), before)  # an unused byte
        except UserError as error:
            detected += 1
            assert "is damaged" in str(error) and str(error).endswith("the one before it is `checkpoint=1`.")
        run.checkpoint(8).write_bytes(content)
        load_weights(run, model, 8)
    assert detected > 30


def test_every_flipped_bit_of_a_state_is_detected(run, digits_data):
    model = model_of(run, digits_data)
    save_state(run, model, 1)
    save_state(run, model, 2)
    content, before, detected = run.state.read_bytes(), values(model.variables), 0
    for position in np.random.default_rng(1).integers(len(content), size=60):
        flip_bit(run.state, position)
        try:
            assert restore_state(run, model) == 2
            assert_equal(values(model.variables), before)
        except UserError as error:
            detected += 1
            call = f"`qssl_tf.resume('{run.folder}', previous_state=True)`"
            hint = f"the state before it is of step 1: {call} goes on from there."
            assert "is damaged" in str(error) and str(error).endswith(hint)
        run.state.write_bytes(content)
    assert detected > 30


def test_the_previous_state_replaces_the_last(run, digits_data):
    model = model_of(run, digits_data)
    save_state(run, model, 1)
    with pytest.raises(UserError, match="keeps no state before the last; start anew with another `name`"):
        go_back(run)
    save_state(run, model, 2)
    flip_bit(run.state, 3000)
    damaged_content = run.state.read_bytes()
    assert go_back(run).read_bytes() == damaged_content
    assert restore_state(run, model) == 1


def test_a_changed_history_is_detected(run, digits_data):
    model = model_of(run, digits_data)
    start_history(run.history, 0)
    for step in (1, 2, 3):
        row = dict.fromkeys(("epoch", "loss", "contrastive_accuracy", "learning_rate", "seconds"), 0.5)
        append_history(run.history, {"step": step} | row)
        if step == 2:
            save_state(run, model, 2)
    assert restore_state(run, model) == 2  # rows after the state do not matter
    text = run.history.read_text()
    for damaged_content in (text.replace("2,0.5", "2,0.4"), text[: text.index("2,0.5")], text.split("\n")[0] + "\n"):
        run.history.write_text(damaged_content)
        with pytest.raises(UserError) as error:
            restore_state(run, model)
        assert str(error.value) == (
            f"{run.history} is not as training left it up to step 2; restore it, or train again."
        )


def test_a_run_stopped_before_its_first_step_starts_at_it(run, digits_data):
    model = model_of(run, digits_data)
    save_weights(run, model, 0)
    assert restore_state(run, model) == 0


def test_a_missing_state_is_not_mistaken_for_a_new_run(run, digits_data):
    save_weights(run, model_of(run, digits_data), 3)
    with pytest.raises(UserError, match="holds no state to resume from; start anew with another `name`"):
        restore_state(run, model_of(run, digits_data))


def test_a_temperature_is_advised_where_the_documented_objective_has_one():
    """The table of docs/how-to/objectives.md says which objective has which settings of its own."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "objectives.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", page.split("## How well they do")[0], re.MULTILINE))
    assert rows.keys() == OBJECTIVES.keys()
    for name, objective in OBJECTIVES.items():
        advice = smaller_steps(SimpleNamespace(loss=objective.loss(Config(overlap_qubits=(0,), overlap_test="swap"))))
        assert advice.startswith("lower `learning_rate` or `weight_decay`")
        assert ("temperature" in advice) is ("`temperature`" in rows[name]), name
