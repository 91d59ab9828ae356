"""A bar for work on many images; the work does not depend on it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from qssl_tf.streams import free_bars


@contextmanager
def bar(total: int | None, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
    """Show a bar, and yield a function that moves it on; once it cannot be written, it is no longer shown.

    Args:
        total: How far it goes; None if nobody knows.
        what: Stands in front of it.
        unit: Of what is counted.
    """
    shown = None
    try:
        interval = 0.5 if sys.stderr.isatty() else 10.0
        shown = tqdm(total=total, desc=what, unit=unit, dynamic_ncols=True, mininterval=interval)
    except OSError:
        free_bars()

    def advance(count: int) -> None:
        nonlocal shown
        if shown is not None:
            try:
                shown.update(count)
            except OSError:
                shown = None
                free_bars()

    try:
        yield advance
    finally:
        if shown is not None:
            try:
                shown.close()
            except OSError:
                free_bars()
