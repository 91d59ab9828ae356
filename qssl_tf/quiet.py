"""Import a large library without its C++ start-up messages, which no log level reaches, and without garbage rounds."""

import gc
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from qssl_tf.errors import is_interrupt
from qssl_tf.streams import is_open


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; print it after all if the block fails, but for Ctrl-C."""
    if sys.stderr is None or not is_open(2):  # closed: there is nothing to be held back
        yield
        return
    with suppress(OSError):  # its terminal may be closed
        sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            except BaseException as error:
                if not is_interrupt(error):
                    held.seek(0)
                    with suppress(OSError):
                        os.write(terminal, held.read())
                raise
            finally:
                with suppress(OSError):
                    sys.stderr.flush()
                os.dup2(terminal, 2)
    finally:
        os.close(terminal)


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
