"""What goes wrong inside a training run: a loss that is no number, and a clock that jumps."""

import csv
import functools
import json
import re

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.training.checkpoints import load_weights, restore_state, save_state, save_weights
from qssl_tf.training.fit import build
from qssl_tf.training.history import start_history
from qssl_tf.training.runs import create_run, open_run
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


@pytest.mark.parametrize(
    "flags",
    [["--learning-rate=1e38"], ["--temperature=1e-30", "--steps=2"], ["--weight-decay=1e30", "--steps=2"]],
    ids=lambda flags: flags[0],
)
def test_only_finite_weights_and_states_are_kept(here, tmp_path, digits_data, flags):
    """Embeddings, gradients or decay that overflow float32 within a few steps, also where no step follows."""
    given = ["--runs-dir", tmp_path, "--name", "run", *SHORT, "--checkpoint-every", "1", *flags]
    done = here("trainers/pretrain.py", *given)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    run, last = open_run(tmp_path / "run"), done.stderr.strip().splitlines()[-1]
    kept = re.escape(str(run.folder / "checkpoints"))
    found = re.fullmatch(
        rf"error: (?:the loss became (?:nan|inf) at step (\d+); the last kept weights are in {kept}"
        r"|`\S+` is not finite after step (\d+); the last kept weights are of step \d+)"
        r"; lower --learning-rate or --weight-decay, or raise --temperature\.",
        last,
    )
    assert found, last
    step = int(found[1] or found[2])
    assert len(rows(run.folder)) == (step - 1 if found[1] else step)
    assert all(np.isfinite(float(row["loss"])) for row in rows(run.folder))
    assert run.checkpoint_steps() == list(range(step))
    model, _ = build(run.config, digits_data)
    assert not list(damaged_files(run))
    assert run.previous_state.exists() == (step > 1)
    start_history(run.history, step - 1)  # as resume does after a kill
    assert restore_state(run, model) == step - 1
    assert all(np.isfinite(variable.numpy()).all() for variable in (*model.variables, *model.optimizer.variables))
    for kept in run.checkpoint_steps():
        load_weights(run, model, kept)
        assert all(np.isfinite(weight.numpy()).all() for weight in model.trainable_weights)


def test_kept_numbers_that_are_not_finite_are_named(tmp_path, digits_data):
    run = create_run(Config(width=3, layers=1, batch_size=16), tmp_path, "run", "digits")
    model, _ = build(run.config, digits_data)
    start_history(run.history, 0)
    save_state(run, model, 0)
    model.head.parameters.assign(np.full(model.head.parameters.shape, np.nan))
    save_state(run, model, 1)
    save_weights(run, model, 1)
    for path in (run.checkpoint(1), run.state):
        assert f"{path} is damaged (it holds numbers that are not finite)." in list(damaged_files(run))
    with pytest.raises(UserError, match="not finite.*train again"):
        load_weights(run, model, 1)
    way = r"not finite.*the state before it is of step 0: .qssl_tf.resume\(.*, previous_state=True\)"
    with pytest.raises(UserError, match=way):
        restore_state(run, model)


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
