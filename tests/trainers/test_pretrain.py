"""The command as a user meets it: real processes, real kills."""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

# With shots, whose random numbers must go on where they stopped.
SHORT = ["--width", "4", "--layers", "1", "--steps", "40", "--batch-size", "64", "--checkpoint-every", "7"]
SHORT += ["--shots", "50", "--gradient", "parameter_shift"]
# With a learning rate that depends on the step.
SHORT += ["--schedule", "cosine", "--warmup", "0.25"]


def pretrain(start, folder, *arguments):
    return start("trainers/pretrain.py", "--runs-dir", folder, *arguments)


def rows(run):
    with open(run / "history.csv", newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def weights(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


@pytest.fixture(scope="module")
def whole(here, tmp_path_factory):
    """An uninterrupted run, in this process; killed ones have others, and must come to the same bits."""
    folder = tmp_path_factory.mktemp("runs")
    done = pretrain(here, folder, "--name", "whole", *SHORT)
    assert done.returncode == 0, done.stderr
    return folder / "whole", done.stdout


def test_what_a_run_leaves(whole):
    run, output = whole
    assert [row["step"] for row in rows(run)] == [str(step) for step in range(1, 41)]
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert kept == [f"step-{step:06d}.weights.h5" for step in (0, 1, 8, 15, 22, 23, 30, 37, 40)]  # 22 steps an epoch
    for name in ("config.json", "versions.json", "model.keras", "figures/loss.png", "figures/views.png"):
        assert (run / name).stat().st_size > 0
    assert list((run / "tensorboard").iterdir())
    assert not [path for path in run.rglob(".*") if path.is_file()]
    assert f"next: python trainers/linear_eval.py {run}" in output
    assert "nearest neighbours in 4 features, test split:" in output
    assert float(rows(run)[-1]["loss"]) < float(rows(run)[0]["loss"])
    rise = [2e-3 * step / 10 for step in range(10)]
    fall = [1e-3 * (1 + math.cos(math.pi * step / 30)) for step in range(30)]
    assert [float(row["learning_rate"]) for row in rows(run)] == pytest.approx(rise + fall, abs=1e-9)
    with open(run / "geometry.csv", newline="") as file:
        geometry = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert [row["step"] for row in geometry] == [1, 8, 15, 22, 23, 30, 37, 40]
    for row in geometry:  # tr rho^2 = (1 + overlap) / 2
        assert row["purity_pair"] == pytest.approx((1 + row["positive_overlap"]) / 2, abs=1e-6)
    assert geometry[-1]["hilbert_schmidt_distance"] > geometry[0]["hilbert_schmidt_distance"]


def assert_same_run(run, whole):
    assert (run / "geometry.csv").read_text() == (whole / "geometry.csv").read_text()
    assert rows(run) == rows(whole)
    for step in (30, 40):
        mine, theirs = (weights(r / "checkpoints" / f"step-{step:06d}.weights.h5") for r in (run, whole))
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name])


def start(folder, name):
    command = [sys.executable, "trainers/pretrain.py", "--runs-dir", folder, "--name", name, *SHORT]
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_step(run, step, process):
    while not (run / "history.csv").exists() or len((run / "history.csv").read_text().splitlines()) <= step:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def test_a_killed_run_resumes_to_the_same_bits(whole, script):
    run = whole[0].parent / "killed"
    process = start(run.parent, run.name)
    wait_for_step(run, 26, process)  # between the checkpoints of steps 23 and 30, inside the second epoch
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(rows(run)) < 40
    done = script("trainers/pretrain.py", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert_same_run(run, whole[0])


def test_ctrl_c_keeps_the_step_and_resumes_to_the_same_bits(whole, here):
    run = whole[0].parent / "stopped"
    process = start(run.parent, run.name)
    wait_for_step(run, 10, process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 130
    assert f"stopped by SIGINT; continue with: python trainers/pretrain.py --resume {run}" in output
    assert "Traceback" not in errors
    done = pretrain(here, run.parent, "--resume")  # the newest run
    assert done.returncode == 0, done.stderr
    assert_same_run(run, whole[0])


def test_a_second_process_on_a_run_is_refused(whole, here):
    run = whole[0].parent / "shared"
    process = start(run.parent, run.name)
    wait_for_step(run, 3, process)
    process.send_signal(signal.SIGSTOP)  # or it might be done before the second has looked
    second = here("trainers/pretrain.py", "--resume", run)
    process.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert second.stderr == f"error: {run} is in use by another process; wait for it to end, or stop it first.\n"
    process.communicate()
    assert process.returncode == 0
    assert_same_run(run, whole[0])


def test_a_finished_run_resumes_to_itself(whole, here):
    run, _ = whole
    before, newest = rows(run), run.parent / "latest"
    newest.unlink()
    newest.symlink_to("another")
    done = here("trainers/pretrain.py", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert rows(run) == before and f"\nfinished already: {len(before)} steps, loss " in done.stdout
    assert newest.readlink() == Path("another")  # nothing new was begun
    newest.unlink()
    newest.symlink_to(run.name)


def refused(done, sentence):
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and sentence in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--width", "0"], "`width` must be at least 1"),
        (["--temperature", "0"], "`temperature` must be above 0.0; got 0.0."),
        (["--ansatz", "rign"], "Did you mean 'ring'?"),
        (["--batch-size", "1500"], "`batch_size` must be at most the number of training images (1437); got 1500."),
        (["--classes", "0,1,10"], "`classes` must be labels from 0 to 9"),
        (["--shots", "0"], "`shots` must be at least 1"),
        (["--presett", "paper"], "unknown argument '--presett'. Did you mean --preset?"),
        (["--resume", "nowhere"], "run folder nowhere does not exist"),
        (["--resume", "nowhere", "--seed", "3"], "--resume takes every setting from the run folder; leave out --seed."),
        (["--head", "quantum", "--width", "1"], "`width` must be at least 2 for the ansatz 'ring'; got 1."),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(here, tmp_path, arguments, sentence):
    refused(pretrain(here, tmp_path / "runs", *arguments), sentence)
    assert not (tmp_path / "runs").exists()


def test_a_damaged_state_is_named_and_kept(whole, here):
    run, _ = whole
    copy = run.parent / "damaged"
    subprocess.run(["cp", "-r", run, copy], check=True)
    state = copy / "state" / "state.npz"
    state.write_bytes(state.read_bytes()[:-2000])
    size = state.stat().st_size
    done = here("trainers/pretrain.py", "--resume", copy)
    assert done.returncode == 2 and f"error: {state} is damaged" in done.stderr and "Traceback" not in done.stderr
    assert state.stat().st_size == size
    assert f"--resume {copy} --previous-state goes on from there." in done.stderr  # the state of step 37
    done = here("trainers/pretrain.py", "--resume", copy, "--previous-state")
    assert done.returncode == 0, done.stderr
    assert_same_run(copy, run)
    aside = Path(re.search(r"^the last state is kept as (.*)$", done.stdout, re.M)[1])
    assert aside.stat().st_size == size


def test_settings_of_another_run_are_listed(whole, here):
    run, _ = whole
    copy = run.parent / "edited"
    subprocess.run(["cp", "-r", run, copy], check=True)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"width": 5}))
    done = here("trainers/pretrain.py", "--resume", copy)
    assert done.returncode == 2 and "other settings (width: 5 against 4)" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_ends_in_one_line_and_resumes(whole, script, here, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        done = pretrain(script, disk, "--name", "full", *SHORT)
        assert done.returncode == 2
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("error:") and "space" in last.lower() and "Traceback" not in done.stderr, done.stderr
        left = [path.name for path in disk.rglob(".*") if path.is_file()]
        assert left == [".full.lock"]  # empty; no half-written file beside it
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        done = pretrain(here, disk, "--resume")
        assert done.returncode == 0, done.stderr
        assert_same_run(disk / "full", whole[0])
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_cannot_be_written(here, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = pretrain(here, blocked, *SHORT)
    refused(done, f"error: {blocked}: Not a directory; name a folder, not a file.")
    done = pretrain(here, tmp_path, *SHORT, "--name", "x" * 300)
    refused(done, f"error: {tmp_path / ('x' * 300)}: File name too long; choose a shorter name.")
