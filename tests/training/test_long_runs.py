"""Two thousand steps: the memory of a run does not grow."""

import os
import subprocess
import sys
import time
from pathlib import Path

from qssl_tf.config import Config
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.fit import build, pretrain
from qssl_tf.training.history import read_history
from qssl_tf.training.runs import create_run

ROOT = Path(__file__).resolve().parents[2]
STEPS, SETTLING_STEPS = 2000, 200


def resident_megabytes(process):
    """Resident memory of a process in megabytes."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_memory_is_steady_after_the_first_steps(tmp_path):
    flags = ["--steps", STEPS, "--batch-size", 32, "--checkpoint-every", 10, "--name", "long", "--runs-dir", tmp_path]
    command = [sys.executable, "trainers/pretrain.py", *map(str, flags)]
    history, megabytes = tmp_path / "long" / "history.csv", {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            step = len(history.read_bytes().splitlines()) - 1 if history.exists() else 0
            if SETTLING_STEPS <= step < STEPS:
                megabytes[step] = resident_megabytes(process)
            time.sleep(0.2)
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert max(megabytes) > STEPS * 0.9 and min(megabytes) < STEPS * 0.2
    first = next(iter(megabytes.values()))
    assert max(megabytes.values()) - first <= 20, megabytes
    assert "retracing" not in errors


def test_the_step_is_traced_once(tmp_path, digits_data, monkeypatch):
    """Python runs the step only while TensorFlow traces it; there are three epochs of 11 steps and one of 2."""
    traces = []
    step = SimCLR.train_step
    monkeypatch.setattr(SimCLR, "train_step", lambda self, data: (traces.append(1), step(self, data))[1])
    run = create_run(Config(width=3, layers=1, batch_size=128, steps=35), tmp_path, "run", "digits")
    model, augment = build(run.config, digits_data)
    assert pretrain(run, digits_data, model, augment) is None
    assert [row["step"] for row in read_history(run.history)] == [str(number) for number in range(1, 36)]
    assert len(traces) == 1
