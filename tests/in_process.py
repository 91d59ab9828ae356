"""Commands of the project run within the process of the tests, where TensorFlow has started already."""

import contextlib
import importlib.util
import io
import runpy
import subprocess
import sys
from pathlib import Path


def run_here(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    """Run a script, or `-m` and a module, as `python` does in `folder`: the file is `__main__`.

    Args:
        *arguments: As behind `python`.
        folder: The working directory.

    Returns:
        What a process of its own would have returned and written; warnings are errors, as in all tests.
    """
    words = [str(word) for word in arguments]
    if words[0] == "-m":
        found = importlib.util.find_spec(words[1])
        assert found and found.origin, words[1]
        path, rest = Path(found.origin), words[2:]
        if path.name == "__init__.py":
            path = path.with_name("__main__.py")
    else:
        path, rest = folder / words[0], words[1:]
    kept_argv, kept_path = list(sys.argv), list(sys.path)
    sys.argv[:], code = [str(path), *rest], None
    sys.path.insert(0, str(path.parent.resolve()))
    output, errors = io.StringIO(), io.StringIO()
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv[:], sys.path[:] = kept_argv, kept_path
    return subprocess.CompletedProcess(words, int(code or 0), output.getvalue(), errors.getvalue())
