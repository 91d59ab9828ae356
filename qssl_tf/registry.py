"""Words that a user adds to a setting: own circuits, encoders and data sets, beside those of the library."""

import re
from collections.abc import Container, Iterator
from contextlib import contextmanager

from qssl_tf.config import CHOICES
from qssl_tf.errors import UserError, pass_on_interrupt, reason, shown, text_of

KERAS_WRAPS = ("Exception encountered when calling", "Could not automatically infer the output")
# Setting -> its own words, in the order in which they came.
OWN: dict[str, list[str]] = {"ansatz": [], "encoder": [], "dataset": []}


def claim(setting: str, name: str, taken: Container[str]) -> None:
    """Make `name` a word of a setting, for Config and every command.

    An own word can be claimed again, as a notebook's cell does that is run twice; the last meaning counts.

    Args:
        setting: Key of OWN.
        name: The word.
        taken: Words of the table that has their meanings.

    Raises:
        UserError: It is no plain word, or one of the library's.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise UserError(
            f"the name of an own `{setting}` must be up to 64 small letters, digits and underscores, a letter first; "
            f"got {shown(name)}."
        )
    if name in OWN[setting]:
        return
    if name in taken:
        raise UserError(f"`{setting}` '{name}' is one of the library's; choose another name for your own.")
    OWN[setting].append(name)
    if setting in CHOICES:
        CHOICES[setting].append(name)


@contextmanager
def own_code(what: str) -> Iterator[None]:
    """Turn whatever a function of the user's own raises within the block into one line.

    Args:
        what: What the function makes.

    Raises:
        UserError: It failed.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):  # the latter where a generator is closed
        raise
    except BaseException as error:  # a user's own may be of any kind
        pass_on_interrupt(error)
        origin = _origin(error)
        if isinstance(origin, UserError):
            raise origin from None
        raise UserError(f"{what} failed with {type(error).__name__}: {reason(origin)}.") from error


def _origin(error: BaseException) -> BaseException:
    """Return what a layer of the user's raised: Keras wraps it in errors of the same kind, with a page of text."""
    links = [error]
    while any(words in text_of(links[-1]) for words in KERAS_WRAPS) and links[-1].__context__ is not None:
        links.append(links[-1].__context__)
    return links[-1]
