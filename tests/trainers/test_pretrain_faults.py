"""What goes wrong inside a training run: a loss that is no number, and a clock that jumps."""

import csv
import functools
import json
import re

import numpy as np

from qssl_tf.training.checkpoints import load_weights, restore_state
from qssl_tf.training.pretrain import build
from qssl_tf.training.runs import open_run
from qssl_tf.training.verify import damaged_files

SHORT = ["--width", "3", "--layers", "1", "--steps", "30", "--batch-size", "64", "--checkpoint-every", "5"]
# Each look at the wall clock finds it a year later or earlier than the one before.
JUMPING = """
import itertools, time
real, years = time.time, itertools.cycle((0, 1, -1, 2))
time.time = lambda: real() + next(years) * 31_536_000
local, form = time.localtime, time.strftime
time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
time.strftime = lambda text, moment=None: form(text, moment or time.localtime())
"""


def rows(run):
    with open(run / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_good(here, tmp_path, digits_data):
    """Steps of such a size that the embeddings overflow float32 within a few of them."""
    flags = ["--runs-dir", tmp_path, "--name", "run", *SHORT, "--learning-rate", "1e38", "--checkpoint-every", "1"]
    done = here("trainers/pretrain.py", *flags)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    run, last = open_run(tmp_path / "run"), done.stderr.strip().splitlines()[-1]
    found = re.fullmatch(
        rf"error: the loss became (nan|inf) at step (\d+); the last kept weights are in {run.folder / 'checkpoints'}; "
        r"lower --learning-rate\.",
        last,
    )
    assert found, last
    step = int(found[2])
    assert step > 1 and len(rows(run.folder)) == step - 1
    assert all(np.isfinite(float(row["loss"])) for row in rows(run.folder))
    assert run.checkpoint_steps() == list(range(step))
    model, _ = build(run.config, digits_data)
    assert restore_state(run, model) == step - 1 and not list(damaged_files(run))
    for kept in run.checkpoint_steps():
        load_weights(run, model, kept)
        assert all(np.isfinite(weight.numpy()).all() for weight in model.trainable_weights)


def test_a_jumping_clock_changes_nothing(script, here, tmp_path):
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(JUMPING)
    jumping = {"PYTHONPATH": str(tmp_path / "python")}
    assert script("-c", "import time; print(abs(time.time() - time.time()) > 1e7)", **jumping).stdout == "True\n"
    for name, start in (("steady", here), ("jumping", functools.partial(script, **jumping))):
        done = start("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", name, *SHORT)
        assert done.returncode == 0, done.stderr
    steady, odd = rows(tmp_path / "steady"), rows(tmp_path / "jumping")
    assert all(0 <= float(row["seconds"]) < 60 for row in odd)
    assert [row | {"seconds": ""} for row in steady] == [row | {"seconds": ""} for row in odd]
    for command in (["trainers/linear_eval.py", "--runs-dir", tmp_path], *[DEVICE] * 2):  # the newest run
        done = script(*command, *(["--run", tmp_path / "jumping"] if command is DEVICE else []), **jumping)
        assert done.returncode == 0, done.stderr
    probe = json.loads((tmp_path / "jumping" / "probe.json").read_text())
    assert probe["step"] == 30 and 0 <= probe["seconds"] < 60
    results = [path.parent for path in (tmp_path / "jumping" / "ibmq").glob("*/result.json")]
    assert len({path for path in results if path.name != "latest"}) == 2
    assert all(0 <= json.loads((path / "result.json").read_text())["seconds"] < 60 for path in results)


DEVICE = ["-m", "qssl_tf.ibmq_infer", "--backend", "aer", "--images", "30", "--shots", "50"]
