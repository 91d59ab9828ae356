"""Files of the user's own code that register circuits, objectives and the like, for commands (`--plugin FILE`).

They are named by whoever runs a command, never by a run folder: reading somebody's run executes nothing.
"""

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from qssl_tf.errors import UserError, reason

VARIABLE = "QSSL_TF_PLUGINS"  # files between `os.pathsep`; what a command was given reaches the processes it starts
_loaded: set[Path] = set()


def load_plugins(given: Iterable[str]) -> None:
    """Run the files given here and those in `QSSL_TF_PLUGINS`, each once in a process.

    Raises:
        UserError: A file is missing, or fails; it says in which line.
    """
    named = [*filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)), *given]
    paths = list(dict.fromkeys(Path(name).resolve() for name in named))
    if paths:
        os.environ[VARIABLE] = os.pathsep.join(map(str, paths))
    for path in paths:
        if path not in _loaded:
            _run(path)
            _loaded.add(path)


def plugin_flags() -> list[str]:
    """Return the flags that load this process's plugins in another: what a command line needs to be given again."""
    paths = [Path(name) for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))]
    here = Path.cwd()
    return [
        word
        for path in paths
        for word in ("--plugin", str(path.relative_to(here) if path.is_relative_to(here) else path))
    ]


def _run(path: Path) -> None:
    if path.suffix != ".py" or not path.is_file():
        raise UserError(f"--plugin must name a Python file (.py) that exists; got {path}.")
    spec = importlib.util.spec_from_file_location(f"qssl_tf_plugin_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # of a file that ends in .py there is always one
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where classes of the file are looked for
    try:
        spec.loader.exec_module(module)
        _note_policy(path)
    except UserError as error:
        raise UserError(f"plugin {path}: {error}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's own may be of any kind
        reached = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {error.lineno if isinstance(error, SyntaxError) else reached[-1]}"
        raise UserError(f"plugin {path} failed in {where} with {type(error).__name__}: {reason(error)}.") from error


def _note_policy(path: Path) -> None:
    """Print one line where a file left Keras with another dtype policy than float32, by which no run is built."""
    keras = sys.modules.get("keras")  # a file that sets it has imported it
    policy = keras.config.dtype_policy().name if keras is not None else "float32"
    if policy != "float32":
        print(
            f"note: Keras's dtype policy is {policy} after plugin {path}; runs do not follow it, choose --precision.",
            file=sys.stderr,
            flush=True,
        )
