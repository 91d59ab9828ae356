"""What a command does first: mind signals, find a Python that has the packages, and let TensorFlow start quietly.

Nothing of this happens at `import qssl_tf`: there the process belongs to somebody else.
"""

import gc
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qssl_tf import environment, interrupts
from qssl_tf.quiet import stderr_held_back


def start_command() -> None:
    """Prepare this process for a command; an environment that cannot work ends it in one line.

    TensorFlow's own messages come back with `TF_CPP_MIN_LOG_LEVEL=0`.
    """
    if environment.is_own_command():
        interrupts.listen_from_the_start()
    if environment.installed("tensorflow") is None:
        hand_over_to_venv()
    found = environment.problems()
    if found and "doctor" not in sys.orig_argv[1:4]:  # which tells them itself
        print(f"error: {' '.join(found)}", file=sys.stderr)
        sys.exit(2)
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3":
        quieten_import("tensorflow")


def hand_over_to_venv() -> None:
    """Run `python -m qssl_tf.…` again in the project's `.venv` where this Python lacks the packages."""
    python = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "python"
    as_module = sys.orig_argv[1:2] == ["-m"] and environment.is_own_command()
    if as_module and python.exists() and Path(sys.prefix) != python.parents[1]:
        os.execv(python, [str(python), *sys.orig_argv[1:]])


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Let the garbage collector rest during a block, and leave what the block made out of its later rounds.

    An import makes hundreds of thousands of objects that stay. To look through them again and again takes a second of
    TensorFlow's three and a half, and another second when the process ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


class _QuietLoader(importlib.abc.Loader):
    def __init__(self, loader: Any):
        self._loader = loader

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        with stderr_held_back(), collector_at_rest():
            self._loader.exec_module(module)


class _QuietFinder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str):
        self._name = name

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        # The path finder alone, for a search through sys.meta_path would come back here.
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


def quieten_import(name: str) -> None:
    """Hold back what the top-level module `name` writes to stderr while it is imported for the first time."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder(name))
