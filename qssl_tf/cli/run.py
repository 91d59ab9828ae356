"""The one way every command begins and ends: exit codes, signals, and a user's mistake in one line."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from qssl_tf.commands import command_line
from qssl_tf.errors import UserError
from qssl_tf.interrupts import CtrlC, listening
from qssl_tf.streams import mend_streams

# What helps where a file cannot be written, beside room or permission.
REMEDIES = {
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name a folder, not a file",
}


def run_command(main: Callable[[], int | None]) -> int:
    """Run a command and turn what a user can mend into one line on stderr.

    Returns:
        The exit code: what `main` returns (nothing is 0), 2 a user's mistake or a file that cannot be written, 130
        stopped by Ctrl-C, SIGTERM or SIGHUP, 141 nobody reads its output.
    """
    mend_streams()
    with command_line(), listening() as ctrl_c:
        try:
            return _ended(main, ctrl_c)
        except KeyboardInterrupt:  # came while the command was at its last line
            _say(ctrl_c.line())
    return ctrl_c.end()


def _ended(main: Callable[[], int | None], ctrl_c: CtrlC) -> int:
    try:
        return main() or 0
    except BaseException as error:
        if isinstance(error, SystemExit) or not (ctrl_c.came or isinstance(error, KeyboardInterrupt)):
            return _told(error)
        _say(ctrl_c.line(error))
    return ctrl_c.end()


def _say(line: str) -> None:
    """Write a last line to stderr; if that is a file on a full disk, it cannot be said, and is no error of its own."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _told(error: BaseException) -> int:
    """Say what a user can mend and return the exit code; raise anything else again."""
    if isinstance(error, UserError):
        _say(f"error: {error}")
        return 2
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more at its end
        return 141
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        remedy = REMEDIES.get(error.errno or 0, "make room or permission there and try again")
        _say(f"error: {name}{error.strerror or error}; {remedy}.")
        return 2
    raise error
