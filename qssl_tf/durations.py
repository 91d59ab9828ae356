"""Durations as a user writes and reads them."""

import re

from qssl_tf.commands import argument
from qssl_tf.errors import UserError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def read_time(text: str | None) -> float | None:
    """Return the seconds of a text such as `90m` or `1.5h`.

    Raises:
        UserError: It has another form.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None or float(match[1]) == 0:
        raise UserError(f"{argument('budget')} must be a time such as 90m, 8h or 600s; got {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def duration(seconds: float) -> str:
    """Return seconds as a user reads them: 50 s, 12 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
