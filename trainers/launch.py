"""Imported first by the scripts here: hand over to `.venv` where this Python lacks the package, or say what to do."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"

if importlib.util.find_spec("qssl_tf") is None:
    if Path(sys.prefix) == VENV_PYTHON.parents[1] or not VENV_PYTHON.exists():
        sys.exit("error: qssl_tf is not installed for this Python; run `make install` first.")
    os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])

try:
    import qssl_tf  # noqa: F401 -- checks the environment
except ImportError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
