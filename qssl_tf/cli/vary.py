"""`--vary NAME=VALUES`: what `qssl search` tries, and what makes arms of `qssl compare`."""

from collections.abc import Callable
from typing import Any

from qssl_tf.cli.flags import read_setting
from qssl_tf.errors import UserError
from qssl_tf.search.space import Choice, Parameter, Range


def read_vary(text: str, check_name: Callable[[str], None]) -> tuple[str, Parameter]:
    """Read NAME=A,B,C or NAME=LOW:HIGH or NAME=LOW:HIGH:log.

    Args:
        text: What was given.
        check_name: Refuses settings that cannot be varied.

    Raises:
        UserError: It has another form, or a setting that is refused.
    """
    name, _, words = text.partition("=")
    name = name.replace("-", "_")
    check_name(name)
    low, *rest = words.split(":")
    if not rest:
        return name, Choice(tuple(dict.fromkeys(read_setting(name, word) for word in words.split(","))))
    bounds: list[Any] = [read_setting(name, word) for word in (low, rest[0])]
    if any(not isinstance(bound, (int, float)) for bound in bounds) or rest[1:] not in ([], ["log"]):
        raise UserError(f"--vary must be NAME=A,B,C or NAME=LOW:HIGH or NAME=LOW:HIGH:log; got '{text}'.")
    if not bounds[0] < bounds[1] or (rest[1:] and not bounds[0] > 0):
        raise UserError(f"--vary needs LOW below HIGH, and above 0 with log; got '{text}'.")
    return name, Range(bounds[0], bounds[1], log=bool(rest[1:]))
