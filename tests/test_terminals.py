"""Terminals that close, streams that are closed, signals to stop: real processes, on real pseudo-terminals."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from qssl_tf.config import Config
from qssl_tf.data.bar import bar
from qssl_tf.training.callbacks import Progress
from qssl_tf.training.history import read_history
from qssl_tf.training.runs import Run, open_run
from qssl_tf.training.schedule import Schedule

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--width", "3", "--layers", "1", "--batch-size", "64", "--checkpoint-every", "30"]
STEPS = 40


def train(folder, name):
    return ["trainers/pretrain.py", "--runs-dir", str(folder), "--name", name, "--steps", str(STEPS), *SMALL]


def in_terminal(words, ignored=False):
    """Start a command as the leader of a new session on a pseudo-terminal; return its number and the other end."""
    number, master = pty.fork()
    if number == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, *words])
    return number, master


def read_until(master, moment, seconds=120):
    """Read what a terminal shows until a moment has come, and return it."""
    until, shown = time.monotonic() + seconds, b""
    while not moment():
        assert time.monotonic() < until, shown
        if select.select([master], [], [], 0.02)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:
                pytest.fail(shown.decode())
    return shown


def weights(run):
    """Return the last weights of a run, by name."""
    found = {}
    with h5py.File(run.checkpoint(run.checkpoint_steps()[-1])) as file:
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None)
    return found


@pytest.fixture(scope="module")
def alone(here, tmp_path_factory):
    """A run that nobody stopped."""
    folder = tmp_path_factory.mktemp("alone")
    done = here(*train(folder, "run"))
    assert done.returncode == 0, done.stderr
    return open_run(folder / "run")


def test_a_closed_terminal_costs_no_step(alone, here, tmp_path):
    """SIGHUP keeps the state as SIGTERM does, while nothing can be written to the terminal any more."""
    process, master = in_terminal(train(tmp_path, "run"))
    table = tmp_path / "run" / "history.csv"
    read_until(master, lambda: table.exists() and table.read_bytes().count(b"\n") > 5)
    os.close(master)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    run = open_run(tmp_path / "run")
    assert code == 130 and 5 <= len(read_history(run.history)) < STEPS
    assert not [path for path in tmp_path.rglob(".*") if path.suffix != ".lock"]
    resumed = here("trainers/pretrain.py", "--resume", run.folder)
    assert resumed.returncode == 0, resumed.stderr
    rows, whole = read_history(run.history), read_history(alone.history)
    assert [row["loss"] for row in rows] == [row["loss"] for row in whole] and weights(run) == weights(alone)


SPEAKING = """
import os, sys, time
from qssl_tf.cli.run import run_command
def main():
    print("begun", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    for _ in range(3):
        print("nobody hears this", flush=True)
        print("nor this", file=sys.stderr)
    open(sys.argv[1] + "-done", "w").close()
sys.exit(run_command(main))
"""


def test_a_closed_terminal_stops_no_work_that_ignores_it(tmp_path):
    """As under nohup, or in a shell that sends no SIGHUP to its jobs: every write fails with EIO."""
    process, master = in_terminal(["-c", SPEAKING, str(tmp_path / "closed")], ignored=True)
    shown = b""
    while b"begun" not in shown:
        shown += os.read(master, 100)
    os.close(master)
    (tmp_path / "closed").touch()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert (tmp_path / "closed-done").exists()


def _train(folder):
    progress = Progress(Run(folder, Config()), Schedule(3, 10, 1), 0)
    progress.on_train_begin()
    for step in range(3):
        progress.after_step(step, {"loss": 1.0, "contrastive_accuracy": 0.5})
    progress.release()
    return progress.bar


def _read_images(folder):
    with bar(3, "photos") as advance:
        for _ in range(3):
            advance(1)
    return advance.__self__


@pytest.mark.parametrize("work", [_train, _read_images])
def test_work_needs_no_bar(work, monkeypatch, tmp_path):
    """The log on stderr is on a full disk; jobs of a device have a test of their own."""
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert work(tmp_path).shown is None
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


STOPPED = """
import os, signal, sys, time
from qssl_tf import interrupts
from qssl_tf.cli.run import run_command
interrupts.listen_from_the_start()
def main():
    interrupts.how_to_go_on("go on.")
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        time.sleep(0.05)
    finally:
        print("kept", flush=True)
sys.exit(run_command(main))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_to_stop_is_one_line(number):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(int(number))], cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)],
    )  # fmt: skip
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    assert (done.returncode, done.stderr) == (130, f"stopped by {name}; go on.\n")


def test_a_second_hangup_or_sigterm_is_passed_over():
    """bash sends a hangup to its jobs, the kernel another one as bash ends; `timeout` sends SIGTERM twice."""
    again = "        os.kill(os.getpid(), 1); os.kill(os.getpid(), 15); time.sleep(0.05)\n"
    code = STOPPED.replace("    finally:\n", f"    finally:\n{again}")
    done = subprocess.run(
        [sys.executable, "-c", code, "1"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "kept\n", "stopped by SIGHUP; go on.\n")


def test_an_ignored_hangup_stays_ignored():
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, "1"], cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "kept\n", "")


@pytest.mark.parametrize("closed", [(0, 1, 2), (2,)])
def test_a_closed_stream_takes_no_files_place(closed, tmp_path):
    """What libraries write to file descriptor 2 must not land in the file that was opened next."""
    path = tmp_path / "file"
    code = (
        "import os, sys\n"
        "from qssl_tf.cli.run import run_command\n"
        "def main():\n"
        "    with open(sys.argv[1], 'w') as file:\n"
        "        os.write(2, b'noise'); print('said', file=sys.stderr); print('said')\n"
        "        file.write('kept')\n"
        "sys.exit(run_command(main))\n"
    )
    shell = ["sh", "-c", f'exec "$@" {" ".join(f"{number}>&-" for number in closed)}', "sh"]
    done = subprocess.run([*shell, sys.executable, "-c", code, path], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0 and path.read_text() == "kept"
    assert done.stdout == (b"" if 1 in closed else b"said\n")


def test_a_library_starts_where_stderr_is_closed():
    code = (
        "from qssl_tf.cli.start import quieten_import\n"
        "quieten_import('colorsys')\n"  # as TensorFlow is, in less time
        "import colorsys; print('loaded')"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"loaded\n")
