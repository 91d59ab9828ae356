"""`qssl doctor`: what is right and wrong with this machine; each finding comes with its remedy."""

import os
import platform
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qssl_tf import environment
from qssl_tf.cli.flags import Parser
from qssl_tf.commands import command
from qssl_tf.errors import UserError, reason, shell
from qssl_tf.memory import available
from qssl_tf.quantum import tfq_availability

PACKAGES = (
    "qssl-tf", "tensorflow", "tensorflow-quantum", "keras", "cirq-core", "qiskit", "qiskit-aer", "qiskit-ibm-runtime",
    "tensorflow-datasets", "keras-tuner", "numpy",
)  # fmt: skip
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS")
SMALL_MEMORY_GB = 4.0  # the paper's preset takes 3
SMALL_DISK_GB = 2.0
MARKS = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: `ok`, `note` (works, could be better) or `problem`.
        text: What was found.
        remedy: What to do; none where all is well.
    """

    state: str
    text: str
    remedy: str = ""


def versions() -> Iterator[Finding]:
    """Look at Python and the packages."""
    found = {name: environment.installed(name) for name in PACKAGES}
    listed = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    yield Finding("ok", f"Python {platform.python_version()}, {listed}")
    for problem in environment.problems():
        yield Finding("problem", problem)
    for name, version in found.items():
        if version is None and name not in {"tensorflow-quantum", *(entry[0] for entry in environment.REQUIREMENTS)}:
            yield Finding("problem", f"{name} is not installed.", environment.REMEDY)


def tensorflow_quantum() -> Iterator[Finding]:
    """Look whether TensorFlow Quantum can be used, which is no problem where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what is about to be said
        why = tfq_availability.why_absent()
    without = "; everything but `simulator` tfq works without it"
    if why is None:
        yield Finding("ok", "it can be loaded")
    elif tfq_availability.is_installed():
        yield Finding("note", why + without + ".", "pip uninstall tensorflow-quantum, or take versions that it fits")
    else:
        yield Finding("ok", why + without)


def processors() -> Iterator[Finding]:
    """Look at cores, threads and memory."""
    usable = environment.usable_cores()
    limits = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    yield Finding("ok", f"{usable} of {os.cpu_count()} cores may be used")
    low = [f"{name}={value}" for name, value in limits.items() if value.isdecimal() and 0 < int(value) < usable]
    if low:
        names = " ".join(entry.split("=")[0] for entry in low)
        yield Finding("note", f"{', '.join(low)} leaves cores idle.", f"unset {names}")
    gigabytes = available() / 1e9
    if gigabytes < SMALL_MEMORY_GB:
        yield Finding("note", f"{gigabytes:.1f} GB of memory are free.", "close programs, or take --batch-size 64")


def graphics() -> Iterator[Finding]:
    """Look for a GPU that TensorFlow can use."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if devices:
        names = ", ".join(tf.config.experimental.get_device_details(each).get("device_name", "GPU") for each in devices)
        yield Finding("ok", f"{len(devices)} GPU: {names}")
    elif shutil.which("nvidia-smi"):
        yield Finding(
            "problem",
            "there is an NVIDIA driver, and TensorFlow finds no GPU.",
            'pip install "tensorflow[and-cuda]" in the version above, and look at `nvidia-smi`',
        )
    else:
        yield Finding("ok", "no GPU; everything runs on the cores")


def folders() -> Iterator[Finding]:
    """Look at the folders of data and runs."""
    named = os.environ.get("TFDS_DATA_DIR")
    data = Path(named or os.path.expanduser("~/tensorflow_datasets"))
    prepared = sorted(path.name for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
    if named and not data.is_dir():
        yield Finding("problem", f"TFDS_DATA_DIR names {data}, which does not exist.", "unset it, or name a folder")
    elif "cifar10" in prepared:
        yield Finding("ok", f"data in {data}: {', '.join(prepared[:8])}")
    else:
        yield Finding(
            "note",
            f"no CIFAR-10 in {data}; the digits need none.",
            "the first run of PRESET=paper downloads it, or name a folder with TFDS_DATA_DIR",
        )
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if not os.access(Path.cwd(), os.W_OK):
        yield Finding("problem", f"{Path.cwd()} must not be written.", "change to a folder of your own, or --runs-dir")
    elif free < SMALL_DISK_GB:
        yield Finding("note", f"{free:.1f} GB are free in {Path.cwd()}.", "make room, or name a disk with --runs-dir")


def newest_run() -> Iterator[Finding]:
    """Read the newest run's files back."""
    from qssl_tf.training import runs
    from qssl_tf.training.verify import damaged_files

    if not (runs.RUNS_DIR / runs.LATEST).is_dir():
        yield Finding("ok", f"no runs here yet: `{command('pretrain')}` makes one")
        return
    try:
        run = runs.newest_run(runs.RUNS_DIR)
    except UserError as error:
        yield Finding("problem", str(error))
        return
    damaged = list(damaged_files(run))
    for sentence in damaged:
        yield Finding("problem", sentence, f"{command('pretrain', '--resume', run.folder)}, or train again")
    if not damaged:
        yield Finding("ok", f"newest run {run.folder}: no file is damaged")


def account() -> Iterator[Finding]:
    """Look for an account of IBM Quantum; its token is not read out."""
    from qssl_tf.device.service import ACCOUNT_FILE, SAVE, open_to_others, saved_accounts

    if os.environ.get("QISKIT_IBM_TOKEN"):
        yield Finding("ok", "QISKIT_IBM_TOKEN is set")
    try:
        saved = saved_accounts()
    except (OSError, ValueError) as error:
        yield Finding("problem", f"{ACCOUNT_FILE} cannot be read ({reason(error)}).", f"save the account anew: {SAVE}")
        return
    if saved:
        yield Finding("ok", f"saved accounts: {', '.join(f'{name} ({channel})' for name, channel in saved.items())}")
    elif not os.environ.get("QISKIT_IBM_TOKEN"):
        yield Finding("ok", f"no IBM Quantum account; simulated devices need none, real ones {SAVE}")
    if open_to_others(ACCOUNT_FILE):
        yield Finding(
            "problem", f"other users can read the token in {ACCOUNT_FILE}.", f"chmod 600 {shell(ACCOUNT_FILE)}"
        )


def self_test() -> Iterator[Finding]:
    """Compute gradients and translate a circuit."""
    from qssl_tf.compiler import self_test as bridge
    from qssl_tf.models import self_test as gradient

    began = time.perf_counter()
    again = f"the installation computes wrong numbers: {environment.REMEDY}, and report it if that does not help"
    for name, error in gradient.gradient_errors().items():
        right = error < gradient.TOLERANCE
        text = f"gradients of the simulator {name} differ from finite differences by {error:.0e}"
        yield Finding("ok", text) if right else Finding("problem", text + ".", again)
    error = bridge.bridge_error()
    text = f"a circuit translated to Qiskit differs from Cirq's by {error:.0e}"
    yield Finding("ok", text) if error < bridge.TOLERANCE else Finding("problem", text + ".", again)
    yield Finding("ok", f"self-test took {time.perf_counter() - began:.0f} s")


# Topic -> what looks at it, in the order of the report.
CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "versions": versions,
    "TensorFlow Quantum": tensorflow_quantum,
    "cores": processors,
    "GPU": graphics,
    "folders": folders,
    "runs": newest_run,
    "IBM Quantum": account,
    "self-test": self_test,
}


def examine() -> Iterator[tuple[str, Finding]]:
    """Yield the findings of every check with their topic; a check that fails is a finding."""
    for topic, check in CHECKS.items():
        try:
            for finding in check():
                yield topic, finding
        except Exception as error:  # whatever is broken here is what somebody wants to know
            yield topic, Finding("problem", f"{type(error).__name__}: {reason(error)}.", environment.REMEDY)


def main() -> int:
    """Print the findings; the exit code is 1 if one is a problem."""
    parser = Parser(description="Look at this machine and test the installation.")
    parser.parse_args()
    problems = 0
    for topic, finding in examine():
        problems += finding.state == "problem"
        print(f"{MARKS[finding.state]}{topic}: {finding.text}", flush=True)
        if finding.remedy:
            print(f"        -> {finding.remedy}", flush=True)
    print(f"{problems} problems" if problems != 1 else "1 problem")
    return int(problems > 0)
