"""What happens after each training step: history, TensorBoard, progress, checkpoints, a clean stop."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from qssl_tf.distributed.peers import Peers
from qssl_tf.errors import UserError
from qssl_tf.interrupts import STOPPING
from qssl_tf.quantum.hilbert_space import PairGeometry, encoded_states, pair_geometry
from qssl_tf.training.checkpoints import check_finite, save_state, save_weights, smaller_steps
from qssl_tf.training.history import append_history, start_history
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule


class StepCallback(keras.callbacks.Callback):
    """Base of the callbacks here: counts steps from the run's start, whatever `fit` was resumed at."""

    def __init__(self, run: Run, schedule: Schedule, start: int):
        """Count on from `start` steps already done."""
        super().__init__()
        self.run, self.schedule, self.start = run, schedule, start

    def on_train_batch_end(self, batch, logs=None):
        """Translate Keras's batch number into the run's step."""
        self.after_step(self.start + batch + 1, logs or {})

    def after_step(self, step: int, logs: dict[str, float]) -> None:
        """Do what is due after `step`."""

    def release(self) -> None:
        """Give back what was opened; called however training ended, also where it never began."""


class HistoryLog(StepCallback):
    """Appends a row to `history.csv` and scalars for TensorBoard; refuses a loss that is no number.

    A row is that step's own loss: the model's `step_logs` is set.
    """

    def on_train_begin(self, logs=None):
        """Cut the table back to the step resumed from and open TensorBoard's file."""
        assert self.model.step_logs
        start_history(self.run.history, self.start)
        self.writer = tf.summary.create_file_writer(os.fsencode(self.run.folder / "tensorboard"))  # or no UTF-8
        self.clock = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        """Note the rate of this step: after it a schedule tells the next one's."""
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
        }
        self.clock = now
        if not np.isfinite(row["loss"]):
            raise UserError(
                f"the loss became {row['loss']} at step {step}; "
                f"the last kept weights are in {self.run.folder / 'checkpoints'}; {smaller_steps()}."
            )
        append_history(self.run.history, row)
        with self.writer.as_default():
            for name in ("loss", "contrastive_accuracy", "learning_rate"):
                tf.summary.scalar(name, row[name], step=step)

    def release(self):
        """Close TensorBoard's file."""
        if hasattr(self, "writer"):
            self.writer.close()


class Stopped(Exception):
    """Training ends here, its state is kept. Keras's way out would first ask the other workers for their metrics."""


class SignalCallback(StepCallback):
    """Base of the callbacks that mind SIGINT (Ctrl-C), SIGTERM and SIGHUP; a second SIGINT stops at once.

    A SIGHUP that is ignored (`nohup`) stays ignored. A terminal that closes sends it, often twice.

    Attributes:
        stopped_by: Name of the signal that came, or None.
    """

    stopped_by: str | None = None

    def on_train_begin(self, logs=None):
        """Listen to signals; Python gives them to the main thread alone."""
        self.previous = {}
        if threading.current_thread() is not threading.main_thread():
            return
        heard = [number for number in STOPPING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
        self.previous = {number: signal.signal(number, self._signalled) for number in heard}

    def _signalled(self, number, frame):
        if self.stopped_by is None:
            self.stop(signal.Signals(number).name)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def stop(self, name: str) -> None:
        """Note the signal `name`."""
        self.stopped_by = name

    def release(self):
        """Give the signals back."""
        for number, handler in getattr(self, "previous", {}).items():
            if handler is not None:  # or it was set by no Python, and cannot be set again
                signal.signal(number, handler)


class Checkpoints(SignalCallback):
    """Keeps weights and state where the schedule says so, and at a clean stop.

    A signal lets the step in flight end; then the state is kept and training stops.
    """

    def on_train_begin(self, logs=None):
        """Keep the untrained weights and listen to signals."""
        if self.start == 0:
            check_finite(self.run, self.model, 0)
            save_state(self.run, self.model, 0)
            save_weights(self.run, self.model, 0)
        super().on_train_begin(logs)

    def after_step(self, step, logs):
        """Keep what is due, the state last: a state of some step says that all weights up to it are kept."""
        if self.schedule.keeps(step) or self.stopped_by:
            check_finite(self.run, self.model, step)  # the loss was of the weights before this step
        if self.schedule.keeps(step):
            save_weights(self.run, self.model, step)
        if self.schedule.keeps(step) or self.stopped_by:
            save_state(self.run, self.model, step)
        if self.stopped_by:
            raise Stopped


class Follower(SignalCallback):
    """What a worker other than the chief does: it writes nothing, and hands a signal on to the chief."""

    def __init__(self, run: Run, schedule: Schedule, start: int, peers: Peers):
        """Remember the chief."""
        super().__init__(run, schedule, start)
        self.peers = peers

    def stop(self, name):
        """Ask the chief to keep the state; it then ends this worker as well."""
        super().stop(name)
        self.peers.ask_to_stop(name)


class StateGeometry(StepCallback):
    """Appends a row to `geometry.csv` at each kept step: how the states of two views lie to those of other images.

    Measured on the first batch of the run with its own batch statistics, which are put back afterwards.
    """

    columns = ("step", *(field.name for field in fields(PairGeometry)))

    def __init__(self, run: Run, schedule: Schedule, start: int, views: tuple[tf.Tensor, tf.Tensor]):
        """Remember the views, shape (n, height, width, channels) each."""
        super().__init__(run, schedule, start)
        self.views, self.path = views, run.folder / "geometry.csv"

    def on_train_begin(self, logs=None):
        """Cut the table back to the step resumed from."""
        start_history(self.path, self.start, self.columns)

    def after_step(self, step, logs):
        """Measure what is due."""
        if not self.schedule.keeps(step):
            return
        encoder, head = self.model.encoder, self.model.head
        statistics = [variable.numpy() for variable in encoder.non_trainable_variables]
        angles = [encoder(view, training=True).numpy() for view in self.views]
        for variable, value in zip(encoder.non_trainable_variables, statistics, strict=True):
            variable.assign(value)
        weights = head.parameters.numpy()
        geometry = pair_geometry(*(encoded_states(head.spec, weights, part) for part in angles))
        append_history(self.path, {"step": step} | asdict(geometry))


class Progress(StepCallback):
    """A bar with loss, contrastive accuracy, steps a second and the time left; whole in 80 columns.

    Training does not depend on it: where nothing can be written any more (the terminal was closed, the reader of a pipe
    ended, the disk of a log is full), there is no bar from then on.
    """

    layout = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"

    def on_train_begin(self, logs=None):
        """Open the bar."""
        with suppress(OSError):
            self.bar = tqdm(
                total=self.schedule.steps,
                initial=self.start,
                unit="step",
                bar_format=self.layout,
                dynamic_ncols=True,
                mininterval=0.5 if sys.stderr.isatty() else 10.0,
            )

    def after_step(self, step, logs):
        """Move the bar."""
        if hasattr(self, "bar"):
            text = f"loss {logs['loss']:.3f}, top-1 {logs['contrastive_accuracy']:.3f}"
            try:
                self.bar.set_postfix_str(text, refresh=False)
                self.bar.update(1)
            except OSError:
                del self.bar

    def release(self):
        """Close the bar."""
        if hasattr(self, "bar"):
            with suppress(OSError):
                self.bar.close()
