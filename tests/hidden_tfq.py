"""Run code as on a machine without TensorFlow Quantum: `python tests/hidden_tfq.py SCRIPT.py ARGUMENTS`."""

import importlib.metadata
import runpy
import sys

_version = importlib.metadata.version


def version(name: str) -> str:
    """Return the version of a distribution, if it is another than TensorFlow Quantum."""
    if name == "tensorflow-quantum":
        raise importlib.metadata.PackageNotFoundError(name)
    return _version(name)


def hide() -> None:
    """Let nobody in this process find the module or its distribution."""
    importlib.metadata.version = version
    sys.modules["tensorflow_quantum"] = None  # so the import system says that there is none


if __name__ == "__main__":
    hide()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
