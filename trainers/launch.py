"""Imported first by the scripts here: hand over to `.venv` where this Python lacks the package, or say what to do."""

import importlib.util
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

STOPPING = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


def stop(number, frame):
    """End in one line where Ctrl-C or its like comes while the package is looked for."""
    with suppress(OSError):  # the terminal may be gone
        os.write(2, f"stopped by {STOPPING[number]} before anything was begun; run the same command again.\n".encode())
    os._exit(130)


if sys.argv[0] in sys.orig_argv:  # not where the script is run within another program
    for each in STOPPING:
        if signal.getsignal(each) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(each, stop)

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
