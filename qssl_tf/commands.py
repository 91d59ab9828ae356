"""Commands and arguments as a message names them: as flags on a command line, as keywords in Python."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qssl_tf.errors import shell
from qssl_tf.plugins import plugin_flags

# Command -> the script of a checkout that is the same.
SCRIPTS = {
    "pretrain": "trainers/pretrain.py",
    "probe": "trainers/linear_eval.py",
    "search": "tuning/search.py",
    "reproduce": "trainers/reproduce.py",
    "device": "qssl_tf/ibmq_infer.py",
}


_nesting = [0]  # commands that run in this process, threads included: a test or a program may call one from another


@contextmanager
def command_line() -> Iterator[None]:
    """Name arguments as flags within the block, which a command runs in."""
    _nesting[0] += 1
    try:
        yield
    finally:
        _nesting[0] -= 1


def argument(name: str, value: object = None) -> str:
    """Return an argument as whoever reads the message passes it.

    Args:
        name: As in Python.
        value: To pass; None names the argument alone.

    Returns:
        `--image-size 64` on a command line, `` `image_size=64` `` in Python.
    """
    if _nesting[0]:
        flag = f"--{name.replace('_', '-')}"
        return flag if value is None else f"{flag} {shell(_word(value))}"
    return f"`{name}`" if value is None else f"`{name}={value!r}`"


def resumption(folder: Path, name: str = "pretrain", previous_state: bool = False) -> str:
    """Return how to go on with a run, a search or a device run, to be put behind "continue it with".

    Args:
        folder: What is kept of it.
        name: The command that does it; `pretrain` has a function in Python as well.
        previous_state: Whether a run goes on from the state before the last.
    """
    if _nesting[0]:
        return f"--resume {shell(folder)}" + (" --previous-state" if previous_state else "")
    more = ", previous_state=True" if previous_state else ""
    return (
        f"`qssl_tf.resume({str(folder)!r}{more})`" if name == "pretrain" else f"`{command(name, '--resume', folder)}`"
    )


def probing(folder: Path, checkpoint: str | None = None) -> str:
    """Return how to probe a run, with the weights of a checkpoint (a step, or `last`) where one is named."""
    if _nesting[0]:
        return command("probe", folder, *(("--checkpoint", checkpoint) if checkpoint else ()))
    run = repr(str(folder))
    return f"qssl_tf.linear_probe({f'qssl_tf.load_run({run}, {checkpoint!r})' if checkpoint else run})"


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def command(name: str, *words: object) -> str:
    """Return a command line with the plugins of this process.

    Args:
        name: Of a command of `qssl`.
        *words: Its arguments.

    Returns:
        `qssl ...`, or where this process was started by a script of a checkout, whose user may have no `qssl` on the
        path, `python trainers/...`.
    """
    return shell(*_start(name), *words, *plugin_flags())


def _start(name: str) -> list[str]:
    started = Path(sys.argv[0]).parts[-2:]
    if "/".join(started) not in SCRIPTS.values():
        return ["qssl", name]
    if name == "device":
        return ["python", "-m", "qssl_tf.ibmq_infer"]
    return ["python", SCRIPTS[name]] if name in SCRIPTS else ["python", "-m", "qssl_tf", name]
