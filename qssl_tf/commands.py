"""Command lines as a message shows them: to be copied, and right where this process was started."""

import sys
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
