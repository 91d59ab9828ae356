"""Disks that are full or must not be written: one line, nothing that was there is touched, and later it goes on."""

import json
import os
import shutil
import subprocess

import pytest

SMALL = ["--width", "3", "--layers", "1", "--steps", "30", "--batch-size", "64", "--probe-epochs", "5"]
TRIALS = ["--head", "identity", "--steps", "12", "--batch-size", "128", "--probe-epochs", "3", "--vary", "width=3,4"]


@pytest.fixture(scope="module")
def trained(here, tmp_path_factory):
    """A run that is trained and probed."""
    folder = tmp_path_factory.mktemp("runs")
    for command in (
        ["trainers/pretrain.py", "--runs-dir", folder, "--name", "run", *SMALL],
        ["trainers/linear_eval.py", "--run", folder / "run"],
    ):
        done = here(*command)
        assert done.returncode == 0, done.stderr
    return folder / "run"


class Disk:
    """A file system of its own in memory."""

    def __init__(self, folder):
        self.folder = folder

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def fill(self):
        """Leave no room."""
        used = os.statvfs(self.folder)
        self.remount(f"size={(used.f_blocks - used.f_bfree) * used.f_frsize}")

    def content(self):
        """Return every file but locks, which are empty."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".lock")
        return {path: path.read_bytes() for path in files}


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


# What is done on the disk -> its command.
COMMANDS = {
    "pretrain": lambda at: ["trainers/pretrain.py", "--runs-dir", at, "--name", "new", *SMALL],
    "resume": lambda at: ["trainers/pretrain.py", "--resume", at / "run"],
    "probe": lambda at: ["trainers/linear_eval.py", "--run", at / "run", "--probe-epochs", "7"],
    "device": lambda at: ["-m", "qssl_tf.ibmq_infer", "--run", at / "run", "--backend", "aer", "--images", "40"],
    "search": lambda at: ["tuning/search.py", "--searches-dir", at, "--name", "s", "--trials", "2", *TRIALS],
}


@pytest.mark.parametrize("state", ["full", "read-only"])
@pytest.mark.parametrize("what", COMMANDS)
def test_one_line_and_nothing_touched(disk, trained, script, here, what, state):
    shutil.copytree(trained, disk.folder / "run")
    disk.fill() if state == "full" else disk.remount("ro")
    before = disk.content()
    start = script if (what, state) == ("pretrain", "full") else here  # one as a user meets it, for all of stderr
    done = start(*COMMANDS[what](disk.folder))
    reason = {"full": "No space left on device", "read-only": "Read-only file system"}[state]
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == 2 and len(lines) == 1 and reason in lines[0], done.stderr
    assert "Traceback" not in done.stderr and lines[0].endswith("; make room or permission there and try again.")
    assert disk.content() == before


def test_a_probe_and_a_device_run_go_on_once_there_is_room(disk, trained, here):
    shutil.copytree(trained, disk.folder / "run")
    disk.fill()
    for what in ("probe", "device"):
        assert here(*COMMANDS[what](disk.folder)).returncode == 2
    disk.remount("size=64m")
    for what in ("probe", "device"):
        done = here(*COMMANDS[what](disk.folder))
        assert done.returncode == 0, done.stderr
    probed = json.loads((disk.folder / "run" / "probe.json").read_text())
    result = json.loads((disk.folder / "run" / "ibmq" / "latest" / "result.json").read_text())
    assert probed["step"] == result["step"] == 30


def test_a_search_goes_on_once_there_is_room(disk, script):
    """The disk is full in the midst of a trial."""
    disk.remount("size=500k")
    done = script(*COMMANDS["search"](disk.folder))
    assert done.returncode == 2 and "No space left on device" in done.stderr and "Traceback" not in done.stderr
    disk.remount("size=64m")
    done = script("tuning/search.py", "--resume", disk.folder / "s")
    assert done.returncode == 0, done.stderr
    assert "2 trials, 0 failed" in done.stdout


def test_status_needs_no_writing(disk, trained, here):
    shutil.copytree(trained, disk.folder / "run")
    assert here(*COMMANDS["device"](disk.folder)).returncode == 0
    disk.remount("ro")
    done = here("-m", "qssl_tf.ibmq_infer", "--run", disk.folder / "run", "--status")
    assert done.returncode == 0 and "1/1 jobs done; result written" in done.stdout, done.stderr
