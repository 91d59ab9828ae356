"""A bar for work on many images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qssl_tf.streams import Bar, bar_interval


@contextmanager
def bar(total: int | None, what: str, unit: str = "image") -> Iterator[Callable[[int], None]]:
    """Show a bar, and yield a function that moves it on.

    Args:
        total: How far it goes; None if nobody knows.
        what: Stands in front of it.
        unit: Of what is counted.
    """
    shown = Bar(total=total, desc=what, unit=unit, mininterval=bar_interval())
    try:
        yield shown.update
    finally:
        shown.close()
