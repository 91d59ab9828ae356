"""Messages of C++ libraries on file descriptor 2, which no log level reaches, held back."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
