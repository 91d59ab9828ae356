"""Imported first by the scripts here: hand over to `.venv` where this Python lacks the package, or say what to do."""

import importlib.util
import os
import signal
import sys
from pathlib import Path


def stop(number, frame):
    """End in one line where Ctrl-C comes while the package is looked for."""
    os.write(2, b"stopped by Ctrl-C before anything was begun; run the same command again.\n")
    os._exit(130)


if sys.argv[0] in sys.orig_argv and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, stop)  # not where the script is run within another program

ROOT = Path(__file__).resolve().parents[1]
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"

if importlib.util.find_spec("qssl_tf") is None:
    if Path(sys.prefix) == VENV_PYTHON.parents[1] or not VENV_PYTHON.exists():
        sys.exit("error: qssl_tf is not installed for this Python; run `make install` first.")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])

try:
    import qssl_tf  # noqa: F401 -- checks the environment
    from qssl_tf.interrupts import listen_from_the_start

    listen_from_the_start(instead=stop)
except ImportError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
