"""Ctrl-C, SIGTERM, a closed terminal: at any moment of a command one line that says how to go on, and exit code 130.

Python raises KeyboardInterrupt wherever the program is. C extensions may turn it into an error of their own (h5py makes
a SystemError of it, which reads like a damaged file), and in a callback of the garbage collector it is lost. So a
command notes that the signal came, and whatever it ends with afterwards is that signal's doing.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

CODE = 130
# What asks a command to stop -> its name to the user.
STOPPING = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
NOT_BEGUN = "stopped by {} before anything was begun; run the same command again."
AGAIN_SECONDS = 0.01


class CtrlC:
    """Whether a signal came, what the user is to do then, and the process it ends."""

    came = False
    name = STOPPING[signal.SIGINT]
    over = False  # whether the command came to its end
    remedy = ""
    own_process = False  # whether the command is all that it does
    terminal = 2  # file descriptor of stderr, which is held back at times

    def line(self, error: BaseException | None = None) -> str:
        """Return the line that a stopped command ends with; what ended it may name another signal."""
        named = isinstance(error, KeyboardInterrupt) and error.args
        return f"stopped by {error.args[0] if error and named else self.name}; {self.remedy}"

    def end(self) -> int:
        """Return the exit code of a stopped command, or end the process with it if that does nothing else.

        Python itself would end it by the signal where a C extension was at a line of Python as it came.
        """
        if self.own_process:
            _end_now()
        return CODE


_heard = CtrlC()


def how_to_go_on(words: str) -> None:
    """Say how to go on, should Ctrl-C stop the command from now on."""
    _heard.remedy = words


def the_same_command() -> str:
    """Return how to go on where nothing was kept: the command as it was given."""
    import shlex  # late: while this module is imported, Ctrl-C is not listened to yet

    first, *words = sys.orig_argv[1:] or [""]
    start = ["qssl"] if first.rsplit("/", 1)[-1] == "qssl" else ["python", first]
    return f"begin again with: {shlex.join([*start, *words])}"


def listen_from_the_start(instead: Callable | None = None) -> None:
    """Let what stops a command end this process, which is one, in one line until `listening` begins.

    Args:
        instead: What minded the signals until now, None for Python itself; another one, such as to ignore them, is
            left alone.
    """
    for number in STOPPING:
        if signal.getsignal(number) in ((instead,) if instead else (signal.default_int_handler, signal.SIG_DFL)):
            signal.signal(number, _not_begun)


def _not_begun(number: int, frame: FrameType | None) -> None:
    _end_now(NOT_BEGUN.format(STOPPING[signal.Signals(number)]))


@contextmanager
def listening() -> Iterator[CtrlC]:
    """Note a signal to stop that comes within the block and raise KeyboardInterrupt there.

    A second Ctrl-C ends the process. A second SIGTERM or SIGHUP says nothing new: whoever ends a terminal or a process
    group tends to send several. Signals that are ignored, as `nohup` has it, stay ignored.
    """
    _heard.came, _heard.over, _heard.remedy = False, False, the_same_command()
    before = {number: handler for number in STOPPING if _is_heard(handler := signal.getsignal(number))}
    _heard.own_process = _not_begun in before.values()
    hook, alarm = sys.unraisablehook, signal.signal(signal.SIGALRM, _alarm)
    _heard.terminal = os.dup(2)
    sys.unraisablehook = lambda lost: _raise_again() if lost.exc_type is KeyboardInterrupt else hook(lost)
    for number in before:
        signal.signal(number, _on_signal)
    try:
        yield _heard
    finally:
        _heard.over = True
        # Behind its last line a command has nothing to be stopped; within another program all is as it was.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if _heard.own_process else handler)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook
        os.close(_heard.terminal)
        _heard.terminal = 2


def _is_heard(handler: Any) -> bool:
    """Return whether a signal is not ignored; a handler of None was not set by Python and cannot be given back."""
    return handler is not None and handler != signal.SIG_IGN


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _heard.over and _heard.own_process:  # it has said its last line
        return
    if not _heard.came:
        _heard.came, _heard.name = True, STOPPING[signal.Signals(number)]
        raise KeyboardInterrupt
    if number == signal.SIGINT:
        _end_now(_heard.line())


def _alarm(number: int, frame: FrameType | None) -> None:
    if not _heard.over:
        _heard.came = True
        raise KeyboardInterrupt


def _raise_again() -> None:
    """Raise a KeyboardInterrupt that was lost in a callback once more, a moment later and so in other code."""
    if not _heard.over:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _end_now(line: str = "") -> None:
    """Leave at once, as a kill does: every file is written under another name and renamed."""
    with suppress(Exception):  # the signal may have come within the same stream's own flush
        sys.stdout.flush()
    with suppress(OSError):
        os.write(_heard.terminal, f"{line}\n".encode(errors="backslashreplace") if line else b"")
    os._exit(CODE)
