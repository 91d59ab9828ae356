"""The one exception meant for a user's eyes, and the sentences it is made of."""

import difflib
import re
import shlex
from collections.abc import Iterable

COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # as libraries write them for terminals


class UserError(ValueError):
    """A mistake the user can mend: one line that says what is wrong, the value, the rule and the remedy."""


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, and cut where it is long."""
    text = repr(value[:100] if isinstance(value, str | list | tuple) else value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, such as "1 image" and "2 images"; the noun takes an s for more than one."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shell(*words: object) -> str:
    """Return words, such as a path with spaces, as they can be copied from a message into a shell."""
    return shlex.join(map(str, words))


def reason(error: BaseException) -> str:
    """Return why something failed, for a message: the first line of the error, cut where it is long.

    Raises:
        KeyboardInterrupt: It failed because of Ctrl-C.
    """
    pass_on_interrupt(error)
    text = f"it lacks {error}" if isinstance(error, KeyError) else text_of(error)
    lines = [line for line in COLOURS.sub("", text).splitlines() if line.strip()] or [type(error).__name__]
    if lines[0].startswith("Exception encountered when calling") and len(lines) > 1:
        lines = lines[1:]  # Keras names the layer first, and the reason below
    line = lines[0].strip()[:200].rstrip(".")
    return line.encode("utf-8", "backslashreplace").decode()  # it may quote what no file or terminal takes


def text_of(error: BaseException) -> str:
    """Return an error's own text; nothing of a class whose text fails."""
    try:
        return str(error)
    except Exception as failure:
        pass_on_interrupt(failure)
        return ""


def is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C is behind an error: C extensions turn it into one of their own, which has it as context."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, KeyboardInterrupt):
        link = link.__cause__ or link.__context__
    return link is not None


def pass_on_interrupt(error: BaseException) -> None:
    """Raise KeyboardInterrupt where Ctrl-C is behind an error.

    Whoever catches whatever a library may raise, to call a file damaged, asks here first.
    """
    if is_interrupt(error):
        raise KeyboardInterrupt from None


def unknown_name(what: str, value: object, valid: Iterable[str], otherwise: str = "") -> UserError:
    """Build the error for a word that is not in a table, with the nearest valid word if one is near.

    Args:
        what: The setting or table the word was looked up in, as the user knows it.
        value: The word that was given.
        valid: The words that exist.
        otherwise: A remedy where no valid word is near, as a sentence.

    Returns:
        The error, to be raised by the caller.
    """
    names = list(valid)
    near = difflib.get_close_matches(str(value)[:100], names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else f" {otherwise}".rstrip()
    return UserError(f"`{what}` must be one of {', '.join(names)}; got {shown(value)}.{hint}")
