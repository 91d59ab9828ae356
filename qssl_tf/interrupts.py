"""Ctrl-C: at any moment of a command one line that says how to go on, and exit code 130.

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

CODE = 130
NOT_BEGUN = "stopped by Ctrl-C before anything was begun; run the same command again."
AGAIN_SECONDS = 0.01


class CtrlC:
    """Whether the signal came, what the user is to do then, and the process it ends."""

    came = False
    remedy = ""
    own_process = False  # whether the command is all that it does
    terminal = 2  # file descriptor of stderr, which is held back at times

    def line(self, error: BaseException | None = None) -> str:
        """Return the line that a stopped command ends with; what ended it may name another signal."""
        named = isinstance(error, KeyboardInterrupt) and error.args
        return f"stopped by {error.args[0] if error and named else 'Ctrl-C'}; {self.remedy}"

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

    return f"begin again with: {shlex.join(['python', *sys.orig_argv[1:]])}"


def listen_as_module() -> None:
    """Listen where this process is one of the package's own commands, `python -m qssl_tf.…`."""
    if sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2].startswith("qssl_tf."):
        listen_from_the_start()


def listen_from_the_start(instead: Callable = signal.default_int_handler) -> None:
    """Let Ctrl-C end this process, which is a command, in one line until `listening` begins.

    Args:
        instead: What minded Ctrl-C until now; another one, such as to ignore it, is left alone.
    """
    if signal.getsignal(signal.SIGINT) is instead:
        signal.signal(signal.SIGINT, _not_begun)


def _not_begun(number: int, frame: FrameType | None) -> None:
    _end_now(NOT_BEGUN)


@contextmanager
def listening() -> Iterator[CtrlC]:
    """Note a Ctrl-C that comes within the block and raise KeyboardInterrupt there; a second one ends the process."""
    _heard.came, _heard.remedy = False, the_same_command()
    before = signal.getsignal(signal.SIGINT)
    _heard.own_process = before is _not_begun
    if before == signal.SIG_IGN:  # started in the background by a shell
        yield _heard
        return
    _heard.terminal = os.dup(2)
    hook, alarm = sys.unraisablehook, signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = lambda lost: _raise_again() if lost.exc_type is KeyboardInterrupt else hook(lost)
    signal.signal(signal.SIGINT, _on_signal)
    try:
        yield _heard
    finally:
        # Behind its last line a command has nothing to be stopped; within another program all is as it was.
        signal.signal(signal.SIGINT, signal.SIG_IGN if _heard.own_process else before)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook
        os.close(_heard.terminal)
        _heard.terminal = 2


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _heard.came:
        _end_now(_heard.line())
    _interrupt(number, frame)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heard.came = True
    raise KeyboardInterrupt


def _raise_again() -> None:
    """Raise a KeyboardInterrupt that was lost in a callback once more, a moment later and so in other code."""
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _end_now(line: str = "") -> None:
    """Leave at once, as a kill does: every file is written under another name and renamed."""
    with suppress(Exception):  # the signal may have come within the same stream's own flush
        sys.stdout.flush()
    with suppress(OSError):
        os.write(_heard.terminal, f"{line}\n".encode() if line else b"")
    os._exit(CODE)
