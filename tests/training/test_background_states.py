"""States that are written beside the next steps: none is lost, mixed with a later one, or fails in silence."""

import errno
import threading

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.training import callbacks
from qssl_tf.training.checkpoints import read_state, write_state
from qssl_tf.training.fit import build
from qssl_tf.training.history import start_history
from qssl_tf.training.runs import create_run
from qssl_tf.training.schedule import Schedule

SETTINGS = Config(width=3, layers=1, batch_size=16)
PATIENCE = 60  # seconds until a thread that hangs fails its test


@pytest.fixture
def checkpoints(tmp_path, digits_data):
    """Return the callback of a run that keeps every step of three, on a model."""
    run = create_run(SETTINGS, tmp_path, "run", "digits")
    start_history(run.history, 0)
    callback = callbacks.Checkpoints(run, Schedule(3, 3, 1), 0)
    callback.set_model(build(SETTINGS, digits_data)[0])
    callback.on_train_begin()
    yield callback
    callback.release()


def test_a_state_is_that_of_its_step_though_the_next_has_begun(checkpoints, monkeypatch):
    begun, may_write = threading.Event(), threading.Event()

    def late(run, state):
        begun.set()
        assert may_write.wait(PATIENCE)
        write_state(run, state)

    monkeypatch.setattr(callbacks, "write_state", late)
    variables = [*checkpoints.model.variables, *checkpoints.model.optimizer.variables]
    of_the_step = [variable.numpy() for variable in variables]
    checkpoints.after_step(1, {})
    assert begun.wait(PATIENCE) and read_state(checkpoints.run.state)[0]["step"] == 0
    for variable in checkpoints.model.trainable_variables:  # what the next step does
        variable.assign(variable + 1.0)
    may_write.set()
    checkpoints.release()
    record, arrays = read_state(checkpoints.run.state)
    assert record["step"] == 1
    for name, value in zip(sorted(arrays), of_the_step, strict=True):
        np.testing.assert_array_equal(arrays[name], value)


def test_the_last_state_is_there_when_the_last_step_is_done(checkpoints):
    for step in (1, 2, 3):
        checkpoints.after_step(step, {})
        assert checkpoints.run.checkpoint(step).exists()
    assert read_state(checkpoints.run.state)[0]["step"] == 3
    assert read_state(checkpoints.run.previous_state)[0]["step"] == 2


def test_so_is_that_of_a_clean_stop(checkpoints):
    checkpoints.stop("SIGTERM")
    with pytest.raises(callbacks.TrainingStopped):
        checkpoints.after_step(1, {})
    assert read_state(checkpoints.run.state)[0]["step"] == 1


def test_what_kept_a_state_from_being_written_ends_training(checkpoints, monkeypatch):
    def full(run, state):
        raise OSError(errno.ENOSPC, "No space left on device", str(run.state))

    monkeypatch.setattr(callbacks, "write_state", full)
    checkpoints.after_step(1, {})
    with pytest.raises(OSError, match="No space left"):
        checkpoints.after_step(2, {})
    assert checkpoints.run.checkpoint_steps() == [0, 1] and read_state(checkpoints.run.state)[0]["step"] == 0
