import dataclasses

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.training.checkpoints import load_weights, restore_state, save_state, save_weights
from qssl_tf.training.pretrain import build
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


def test_weights_come_back(run, digits_data):
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
    for learner in (model, other):
        learner.train_on_batch(images[:, ::-1], images)
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
        with pytest.raises(UserError, match="is damaged") as caught:
            load()
        assert "\n" not in str(caught.value)


def test_a_run_stopped_before_its_first_step_starts_at_it(run, digits_data):
    model = model_of(run, digits_data)
    save_weights(run, model, 0)
    assert restore_state(run, model) == 0


def test_a_lost_state_is_not_taken_for_a_new_run(run, digits_data):
    save_weights(run, model_of(run, digits_data), 3)
    with pytest.raises(UserError, match="holds no state to resume from; start anew with another --name"):
        restore_state(run, model_of(run, digits_data))
