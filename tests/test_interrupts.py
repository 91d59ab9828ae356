"""Ctrl-C at many moments: real processes end in one line that says how to go on; no file is called damaged for it."""

import ast
import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
from tensorflow.python.eager import context  # has no public name

import qssl_tf as q
from qssl_tf.cli.run import run_command
from qssl_tf.errors import UserError, pass_on_interrupt, reason
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.files.lock import locked
from qssl_tf.interrupts import how_to_go_on
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.runs import open_run

ROOT = Path(__file__).resolve().parents[1]
READY = WEIGHTS / "digits-ring"
MOMENTS = 80  # h5py turned one in seven into an error of its own


@pytest.fixture
def alarm():
    """A function (seconds, work) that does the work and raises KeyboardInterrupt in it after that time, as Ctrl-C does.

    It returns whether that came out of the work. Nothing can escape it, which would end the whole session of pytest.
    """
    armed = False

    def stop(number, frame):
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    def stopped(seconds, work):
        nonlocal armed
        try:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, seconds)
                work()
            finally:
                armed = False
        except KeyboardInterrupt:
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            # It may have come between TensorFlow's change to graphs and the change back, which no process outlives but
            # this one; all that follows here would fail, also where the interrupt itself was lost in a callback.
            context.context()._thread_local_data.is_eager = True
        return False

    before = signal.signal(signal.SIGALRM, stop)
    yield stopped
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # lost in a callback of the collector
def test_ctrl_c_while_weights_load_is_no_damage(alarm):
    run = q.load_run(READY)
    began = time.perf_counter()
    load_weights(open_run(READY), run.model, run.step)
    whole = time.perf_counter() - began

    def load():
        load_weights(open_run(READY), run.model, run.step)  # a UserError would fail the test

    stopped = sum(alarm(whole * (moment + 0.5) / MOMENTS, load) for moment in range(MOMENTS))
    assert stopped > MOMENTS / 2
    load()


def test_what_h5py_makes_of_ctrl_c_is_passed_on(tmp_path):
    """A visit calls Python from C, and comes back with an error or with the interrupt; both mean Ctrl-C."""

    def stop(name, item):
        raise KeyboardInterrupt

    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["array"] = 1
        with pytest.raises(KeyboardInterrupt):
            try:
                file.visititems(stop)
            except Exception as error:
                pass_on_interrupt(error)
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None
    except SystemError as error:
        with pytest.raises(KeyboardInterrupt):
            reason(error)
    assert reason(ValueError("truncated.")) == "truncated"


def test_whoever_catches_anything_asks_for_ctrl_c_first():
    """Every `except Exception` raises the error again, or calls what passes Ctrl-C on."""
    passing = {"reason", "pass_on_interrupt", "told_apart"}
    without = []
    for folder in ("qssl_tf", "trainers", "tuning"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
                    calls = {part.func.id for part in ast.walk(node) if isinstance(part, ast.Call)
                             and isinstance(part.func, ast.Name)}  # fmt: skip
                    if node.type.id == "Exception" and not calls & passing:
                        without.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert without == []


@pytest.mark.parametrize(
    "end",
    [
        KeyboardInterrupt,
        OSError(5, "Input/output error"),
        UserError("x.h5 is damaged; train again."),
        SystemError("set"),
    ],
    ids=lambda end: type(end).__name__,
)
def test_whatever_a_stopped_command_ends_with_is_the_signals_doing(end, capsys):
    def main():
        how_to_go_on("the next step is this.")
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            raise end from None

    before = signal.getsignal(signal.SIGINT)
    assert run_command(main) == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C; the next step is this.\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_that_a_callback_swallowed_comes_again(capsys):
    class Swallows:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    def main():
        del_me = Swallows()
        del del_me
        time.sleep(5)

    began = time.perf_counter()
    assert run_command(main) == 130 and time.perf_counter() - began < 4
    told = capsys.readouterr().err
    assert told.startswith("stopped by Ctrl-C; begin again with: python ") and told.count("\n") == 1


def test_an_interrupt_that_comes_again_too_late_escapes_no_command(capsys):
    """It was lost in a callback, and the command ended before it came again: with an error, or well."""

    class Swallows:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    def end(wait):
        del_me = Swallows()
        del del_me
        while time.perf_counter() < wait:
            pass
        raise UserError("it failed.")

    for wait in range(0, 20):  # milliseconds around those after which it comes again
        assert run_command(lambda wait=wait: end(time.perf_counter() + wait / 1000)) == 130
        told = capsys.readouterr().err
        assert told.count("\n") in (1, 2) and "stopped by Ctrl-C; " in told, told
    time.sleep(0.05)  # nothing comes now


def stopped(words, wait, number=signal.SIGINT):
    """Send a signal to the group of a command's process, as a terminal does, and return what it wrote.

    Args:
        words: Behind `python`.
        wait: A function of the process that returns when the moment has come.
        number: The signal.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: [signal.signal(*each) for each in handlers.items()],
    )  # fmt: skip
    wait(process)
    os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, (process.returncode, output, errors)
    assert "Traceback" not in errors and "damaged" not in errors and "ignored" not in errors, errors
    return output, errors


def in_terminal(words):
    """Start a command on a pseudo-terminal of its own; return its number and the other end."""
    number, master = pty.fork()
    if number == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, *map(str, words)])
    return number, master


@pytest.fixture
def copy(tmp_path):
    """The ready digits as a run of one's own."""
    shutil.copytree(READY, tmp_path / "runs" / "digits", ignore=shutil.ignore_patterns("SHA256SUMS"))
    return tmp_path / "runs" / "digits"


def says(line):
    """Return a function that waits until a process has written a line that begins so."""

    def wait(process):
        for text in process.stdout:
            if text.startswith(line):
                return
        pytest.fail(process.stderr.read())

    return wait


def loading(process):
    """Wait until a process maps TensorFlow, which takes seconds to load."""
    maps = Path(f"/proc/{process.pid}/maps")
    while "libtensorflow" not in maps.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


# Command behind `python`, and lines that it writes: a signal comes then, and while TensorFlow loads; every second time
# it is SIGTERM.
COMMANDS = {
    "linear_eval": (["trainers/linear_eval.py", "--run", "{run}", "--probe-epochs", "4000"], ("{run}: cached",)),
    "report": (["-m", "qssl_tf", "report", "{run}"], ("{run}: drawing",)),
    "share": (["-m", "qssl_tf", "share", "{run}", "--output", "{folder}/out"], ()),
    "doctor": (["-m", "qssl_tf", "doctor"], ("ok      GPU",)),
    "ibmq_infer": (["-m", "qssl_tf.ibmq_infer", "--run", "{run}"], ()),
    "pretrain": (["trainers/pretrain.py", "--runs-dir", "{folder}"], ()),
    "search": (["tuning/search.py", "--searches-dir", "{folder}"], ()),
}


MOMENTS_OF_COMMANDS = [(words, line) for words, lines in COMMANDS.values() for line in ("", *lines)]


@pytest.mark.parametrize(
    ("words", "line", "number"),
    [(*each, signal.SIGTERM if place % 2 else signal.SIGINT) for place, each in enumerate(MOMENTS_OF_COMMANDS)],
)
def test_a_command_without_anything_kept_is_begun_again(words, line, number, copy, tmp_path):
    filled = [word.format(run=copy, folder=tmp_path) for word in words]
    _, errors = stopped(filled, says(line.format(run=copy)) if line else loading, number)
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert errors == f"stopped by {name}; begin again with: python {' '.join(filled)}\n"


def test_a_device_run_says_its_name(copy):
    words = ["-m", "qssl_tf.ibmq_infer", "--run", copy, "--backend", "aer", "--job-rows", "60", "--shots", "20000"]
    _, errors = stopped(words, says("job 1/"))
    (begun,) = [path for path in (copy / "ibmq").iterdir() if path.is_dir() and not path.is_symlink()]
    told = f"continue with: python -m qssl_tf.ibmq_infer {copy} --resume {begun.name}"
    assert errors == f"stopped by Ctrl-C; {told}\n"


# `qssl device` on a real device that is played here: its jobs are submitted to a dictionary, and never end.
REAL = """
import sys
from types import SimpleNamespace
from qssl_tf.cli.start import start_command
start_command()
from qssl_tf.cli import device as command
from qssl_tf.cli.run import run_command
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.device import door
from qssl_tf.device.backends import Device

class Service:
    kept = {}
    def usage(self):
        return {}
    def job(self, name):
        return SimpleNamespace(job_id=lambda: name, status=lambda: "QUEUED", metrics=lambda: {"position_in_queue": 9})

class Real(Device):
    def sampler(self, seed, suppression=(), qubits=None):
        def run(pubs):
            name = f"d{len(Service.kept)}"
            Service.kept[name] = pubs
            return Service().job(name)
        options = SimpleNamespace(environment=SimpleNamespace(job_tags=None))
        return SimpleNamespace(options=options, run=run)
    def service(self):
        return Service()

door.device = lambda *names: Real("ibm_here", snapshot("fake_manila"), is_local=False)
sys.exit(run_command(command.main))
"""


@pytest.fixture
def real(tmp_path):
    """A probed run of three qubits, and the words that run it on a device that is played by REAL."""
    run = q.pretrain(config=q.Config(width=3, layers=1, steps=2, batch_size=32), runs_dir=tmp_path / "runs", name="one")
    q.linear_probe(run, probe_epochs=1)
    script = tmp_path / "device.py"
    script.write_text(REAL)
    return run.folder, [script, run.folder, "--backend", "ibm_here", "--images", "20", "--shots", "10"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_a_real_job_says_that_it_goes_on(real, number):
    run, words = real
    _, errors = stopped([*words, "--yes"], says("job d0: queued"), number)
    (begun,) = [path for path in (run / "ibmq").iterdir() if path.is_dir() and not path.is_symlink()]
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert errors == (
        f"stopped by {name}; jobs that were submitted go on; fetch them with: qssl device {run} --resume {begun.name}, "
        f"or cancel them with: qssl device {run} --cancel {begun.name}\n"
    )
    record = json.loads((begun / "record.json").read_text())
    assert [(job["id"], job["state"]) for job in record["jobs"]] == [("d0", "submitted")]
    with locked(begun):  # the process that was stopped holds it no more
        assert not [path for path in begun.iterdir() if path.name.startswith(".") and path.suffix != ".lock"]


def test_ctrl_c_at_the_question_submits_nothing(real):
    run, words = real
    process, master = in_terminal(words)
    shown = b""
    while b"submit? [y/N] " not in shown:
        shown += os.read(master, 4096)
    time.sleep(0.5)  # Python hears no signal between its question and its wait for the answer; nobody is so fast
    os.write(master, b"\x03")  # as the key does, by way of the terminal
    with contextlib.suppress(OSError):  # its end is an error on Linux
        while part := os.read(master, 4096):
            shown += part
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    (begun,) = [path for path in (run / "ibmq").iterdir() if path.is_dir() and not path.is_symlink()]
    last = shown.decode().replace("\r\n", "\n").strip().split("\n")[-1]
    assert last == f"stopped by Ctrl-C; continue with: qssl device {run} --resume {begun.name}"
    record = json.loads((begun / "record.json").read_text())
    assert [(job["id"], job["state"]) for job in record["jobs"]] == [(None, "planned")]


def test_a_device_run_that_is_being_planned_is_begun_again(copy):
    words = ["-m", "qssl_tf.ibmq_infer", copy, "--backend", "fake_fez", "--images", "20"]
    _, errors = stopped(words, says(f"{copy}: step 500"), signal.SIGTERM)  # it compiles then, for seconds
    assert errors == f"stopped by SIGTERM; begin again with: python {' '.join(map(str, words))}\n"
    assert not (copy / "ibmq").exists()


def test_a_run_that_is_finished_but_for_its_figures_is_continued(tmp_path):
    def last_step(process):
        path = tmp_path / "new" / "history.csv"
        while not (path.exists() and path.read_bytes().count(b"\n") > 8):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)

    words = ["trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "new", "--steps", "8", "--batch-size", "64"]
    output, errors = stopped(words, last_step)
    told = f"continue with: python trainers/pretrain.py --resume {tmp_path / 'new'}\n"
    assert f"stopped by SIGINT; {told}" in output or errors.endswith(f"stopped by Ctrl-C; {told}"), (output, errors)


@pytest.mark.parametrize("words", [["trainers/linear_eval.py", "--help"], ["-m", "qssl_tf", "report", "--help"]])
def test_before_anything_began_it_is_one_line_too(words, tmp_path):
    """A signal at the first line of the package: while metadata of installed libraries are read."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata, os, signal\n"
        "real = importlib.metadata.version\n"
        "def version(name):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name)\n"
        "importlib.metadata.version = version\n"
    )
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True,
        text=True, timeout=60, check=False, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "stopped by Ctrl-C before anything was begun; run the same command again.\n"
