"""Standard streams that are closed, or whose terminal goes away while a command is at work: its work does not stop."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import IO, Any

NAMES = ("stdin", "stdout", "stderr")


def mend_streams() -> None:
    """Give this process, which is a command, streams that can be written to whatever happens to its terminal.

    A stream that the caller closed (`2>&-`) becomes `/dev/null`: else the next file that is opened takes its place,
    and messages of libraries would be written into it.
    """
    for number, name in enumerate(NAMES):
        if getattr(sys, name) is None or not is_open(number):
            _open_null(number, name)
    for name in NAMES[1:]:
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper) and stream.isatty():
            setattr(sys, name, _lasting(stream))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what no terminal shows


def is_open(number: int) -> bool:
    """Return whether a file descriptor is one of this process."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


class Bar:
    """A progress bar that no work depends on.

    Once it cannot be written (the terminal was closed, the reader of a pipe ended, the disk of a log is full), it is no
    longer shown.

    Args:
        **options: Of `tqdm`.

    Attributes:
        shown: The bar of tqdm; None once it cannot be written, or was closed.
    """

    def __init__(self, **options: Any):
        """Show it."""
        from tqdm import tqdm  # imported late to keep `--help` fast

        self.shown: Any = None
        with self._guard():
            self.shown = tqdm(dynamic_ncols=True, **options)

    def update(self, count: int = 1, text: str | None = None) -> None:
        """Move it on.

        Args:
            count: By so much.
            text: What stands behind it from now on; None leaves what does.
        """
        with self._guard():
            if self.shown is not None and text is not None:
                self.shown.set_postfix_str(text, refresh=count == 0)
            if self.shown is not None and count:
                self.shown.update(count)

    def close(self) -> None:
        """Leave it standing as it is."""
        with self._guard():
            if self.shown is not None:
                self.shown.close()
        self.shown = None

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.shown = None
            _free_bars()


def write_above_bars(line: str) -> None:
    """Write a line to stderr above the bars that are shown there, if it can be written to."""
    from tqdm import tqdm

    try:
        tqdm.write(line, file=sys.stderr)
    except OSError:
        _free_bars()


def bar_interval() -> float:
    """Return after how many seconds a bar on stderr is written again: in a file seldom."""
    return 0.5 if sys.stderr.isatty() else 10.0


def _free_bars() -> None:
    """Let other bars be shown after one could not be written: tqdm leaves its lock locked then, for ever."""
    from tqdm import tqdm

    tqdm.set_lock(RLock())


def is_gone(error: BaseException) -> bool:
    """Return whether a terminal that was closed is behind an error."""
    return isinstance(error, OSError) and error.errno == errno.EIO and error.filename is None


def _open_null(number: int, name: str) -> None:
    if not is_open(number):
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
    if getattr(sys, name) is None:
        mode: Any = "r" if number == 0 else "w"
        stream: IO[str] = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


class _Lasting(io.FileIO):
    """A terminal that becomes `/dev/null` once it is closed."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if not is_gone(error):
                raise
            with suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self.fileno())
                os.close(null)
            return memoryview(data).nbytes


def _lasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    with suppress(OSError):
        stream.flush()
    raw = _Lasting(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
