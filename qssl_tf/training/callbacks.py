"""Keras callbacks: history, TensorBoard, progress bar, checkpoints, and clean stops on signals."""

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.distributed.peers import Peers
from qssl_tf.errors import UserError
from qssl_tf.interrupts import STOPPING
from qssl_tf.quantum.hilbert_space import PairGeometry, encoded_states, pair_geometry
from qssl_tf.streams import Bar, bar_interval
from qssl_tf.training.checkpoints import (
    check_finite,
    save_state,
    save_weights,
    smaller_steps,
    state_of,
    write_state,
)
from qssl_tf.training.history import JUDGES, append_history, start_history
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule


class StepCallback(keras.callbacks.Callback):
    """Base of all callbacks here, which counts steps from the start of the run, also after a resume."""

    def __init__(self, run: Run, schedule: Schedule, start: int):
        """Store the run, its schedule, and the number of steps already taken."""
        super().__init__()
        self.run, self.schedule, self.start = run, schedule, start

    def on_train_batch_end(self, batch, logs=None):
        """Convert Keras's batch index to the step of the run."""
        self.after_step(self.start + batch + 1, logs or {})

    def after_step(self, step: int, logs: dict[str, float]) -> None:
        """Hook that is called after each step."""

    def release(self) -> None:
        """Release resources; called however training ended, even if it never began."""


class HistoryLog(StepCallback):
    """Appends rows to `history.csv` and scalars for TensorBoard; stops at a loss that is not finite.

    Rows hold the loss of the step itself, since the model's `step_logs` is set.
    """

    def on_train_begin(self, logs=None):
        """Truncate the history to the resumed step, and open TensorBoard's file."""
        assert self.model.step_logs
        judges = JUDGES if self.model.online_probe is not None else JUDGES[:2]
        self.columns = start_history(self.run.history, self.start, judges=judges)
        folder = os.fsencode(self.run.folder / "tensorboard")  # the path may not be UTF-8
        self.writer = tf.summary.create_file_writer(folder)
        self.clock = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        """Record the learning rate of this step, since the schedule has the next one's after it."""
        self.rate = np.float32(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def after_step(self, step, logs):
        """Write the step's row."""
        now = time.perf_counter()
        row: dict[str, Any] = {
            "step": step,
            "epoch": self.schedule.epoch(step),
            "loss": np.float32(logs["loss"]),
            "contrastive_accuracy": np.float32(logs["contrastive_accuracy"]),
            "learning_rate": self.rate,
            "seconds": round(now - self.clock, 4),
            **{name: np.float32(logs[name]) for name in JUDGES if name in logs},
        }
        self.clock = now
        if not np.isfinite(row["loss"]):
            raise UserError(
                f"the loss became {row['loss']} at step {step}; "
                f"the last kept weights are in {self.run.folder / 'checkpoints'}; {smaller_steps(self.model)}."
            )
        append_history(self.run.history, {name: row[name] for name in self.columns})
        with self.writer.as_default():
            for name in ("loss", "contrastive_accuracy", "learning_rate", *JUDGES):
                if name in row:
                    tf.summary.scalar(name, row[name], step=step)

    def release(self):
        """Close TensorBoard's file."""
        if hasattr(self, "writer"):
            self.writer.close()


class TrainingStopped(Exception):
    """Ends training after its state is saved; Keras's `stop_training` would first gather metrics from other workers."""


class SignalCallback(StepCallback):
    """Base of callbacks that handle SIGINT (Ctrl-C), SIGTERM and SIGHUP; a second SIGINT stops at once.

    A SIGHUP that is ignored (`nohup`) stays ignored. Closing a terminal sends it, often twice.

    Attributes:
        stopped_by: Name of the received signal, or None.
    """

    stopped_by: str | None = None

    def on_train_begin(self, logs=None):
        """Install the signal handlers, where Python allows it: in the main thread."""
        self.previous = {}
        if threading.current_thread() is not threading.main_thread():
            return
        signals = [
            number for number in STOPPING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        ]
        self.previous = {number: signal.signal(number, self._on_signal) for number in signals}

    def _on_signal(self, number, frame):
        if self.stopped_by is None:
            self.stop(signal.Signals(number).name)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def stop(self, name: str) -> None:
        """Record the signal `name`."""
        self.stopped_by = name

    def release(self):
        """Restore the previous signal handlers."""
        for number, handler in getattr(self, "previous", {}).items():
            if handler is not None:  # None was not installed from Python, and cannot be restored
                signal.signal(number, handler)


class Checkpoints(SignalCallback):
    """Saves weights and state as scheduled, and at a clean stop.

    After a signal, the current step is completed; then the state is saved and training stops. States, three times as
    large as weights, are written beside the next steps. Whatever kept one from being written is raised at the next
    checkpoint, or where training ends.
    """

    def __init__(self, run: Run, schedule: Schedule, start: int):
        """Prepare the thread that writes."""
        super().__init__(run, schedule, start)
        self.thread, self.written = ThreadPoolExecutor(1, "state"), Future[None]()
        self.written.set_result(None)

    def on_train_begin(self, logs=None):
        """Save the initial weights, and install the signal handlers."""
        if self.start == 0:
            check_finite(self.run, self.model, 0)
            save_state(self.run, self.model, 0)
            save_weights(self.run, self.model, 0)
        super().on_train_begin(logs)

    def after_step(self, step, logs):
        """Save weights and then the state, since the state of a step implies that all weights up to it exist."""
        if self.schedule.keeps(step) or self.stopped_by:
            self.written.result()
            check_finite(self.run, self.model, step)  # the loss only checked the weights before this step
        if self.schedule.keeps(step):
            save_weights(self.run, self.model, step)
        if self.schedule.keeps(step) or self.stopped_by:
            self.written = self.thread.submit(write_state, self.run, state_of(self.run, self.model, step))
        if self.stopped_by or step == self.schedule.steps:
            self.written.result()
        if self.stopped_by:
            raise TrainingStopped

    def release(self):
        """Let the thread write what it has, and end it."""
        self.thread.shutdown()
        super().release()


class Follower(SignalCallback):
    """Callback of workers other than the chief: writes nothing, and forwards signals to the chief."""

    def __init__(self, run: Run, schedule: Schedule, start: int, peers: Peers):
        """Store the connection to the chief."""
        super().__init__(run, schedule, start)
        self.peers = peers

    def stop(self, name):
        """Ask the chief to save the state; the chief then ends this worker, too."""
        super().stop(name)
        self.peers.ask_to_stop(name)


class StateGeometry(StepCallback):
    """Appends a row to `geometry.csv` at each checkpoint: overlaps of the states of views, see `PairGeometry`.

    It is measured on the first batch of the run in training mode; batch statistics are restored afterwards.
    """

    columns = ("step", *(field.name for field in fields(PairGeometry)))

    def __init__(self, run: Run, schedule: Schedule, start: int, views: tuple[tf.Tensor, tf.Tensor]):
        """Store the views, shape (n, height, width, channels) each."""
        super().__init__(run, schedule, start)
        self.views, self.path = views, run.folder / "geometry.csv"

    def on_train_begin(self, logs=None):
        """Truncate the table to the resumed step."""
        start_history(self.path, self.start, self.columns)

    def after_step(self, step, logs):
        """Append a row if the step is a checkpoint."""
        if not self.schedule.keeps(step):
            return
        encoder, head = self.model.encoder, self.model.head
        statistics = [variable.numpy() for variable in encoder.non_trainable_variables]
        angles = [part.numpy() for part in self._angles()]
        for variable, value in zip(encoder.non_trainable_variables, statistics, strict=True):
            variable.assign(value)
        weights = head.parameters.numpy()
        geometry = pair_geometry(*(encoded_states(head.spec, weights, part) for part in angles))
        append_history(self.path, {"step": step} | asdict(geometry))

    def _angles(self) -> list[tf.Tensor]:
        """Return the angles of both views, in chunks where training takes chunks."""
        model = self.model
        cache = model.cache()
        if cache is None:
            return [model.encoder(view, training=True) for view in self.views]
        if not hasattr(self, "in_chunks"):  # as a graph, which frees what Keras's own loop over layers would hold
            self.in_chunks = tf.function(lambda *views: cache.angles(views)[0], autograph=False)
        return self.in_chunks(*self.views)


class Progress(StepCallback):
    """A progress bar with loss, contrastive accuracy, speed and remaining time, which fits into 80 columns."""

    layout = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
    bar: Bar | None = None

    def on_train_begin(self, logs=None):
        """Open the bar."""
        self.bar = Bar(
            total=self.schedule.steps,
            initial=self.start,
            unit="step",
            bar_format=self.layout,
            mininterval=bar_interval(),
        )

    def after_step(self, step, logs):
        """Update the bar."""
        if self.bar:
            text = f"loss {logs['loss']:.3f}, top-1 {logs['contrastive_accuracy']:.3f}"
            if "online_accuracy" in logs:
                text += f", probe {logs['online_accuracy']:.3f}"
            self.bar.update(1, text)

    def release(self):
        """Close the bar."""
        if self.bar:
            self.bar.close()
