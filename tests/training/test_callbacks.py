"""The progress bar in a terminal of 80 columns."""

import fcntl
import os
import re
import struct
import sys
import termios
from contextlib import suppress

import pytest

from qssl_tf.config import Config
from qssl_tf.training.callbacks import Progress
from qssl_tf.training.runs import Run
from qssl_tf.training.schedule import Schedule


@pytest.mark.parametrize("steps", [194, 29_100])
def test_the_bar_is_whole_in_80_columns(monkeypatch, tmp_path, steps):
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(end, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        bar = Progress(Run(tmp_path, Config()), Schedule(97, steps, 13), steps - 2)
        bar.on_train_begin()
        for step in (steps - 1, steps):
            bar.after_step(step, {"loss": 10.1234, "contrastive_accuracy": 0.4567})
        bar.release()
    output = b""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as reader:  # its end is an error on Linux
        while part := reader.read(65536):
            output += part
    last = re.split(r"[\r\n]+", output.decode().strip())[-1]
    assert f"| {steps}/{steps} [" in last and last.endswith(", loss 10.123, top-1 0.457]") and len(last) <= 80, last
