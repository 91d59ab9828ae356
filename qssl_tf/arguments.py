"""What Python hands to the package's public functions, held against their annotations: a mistake is one line."""

import difflib
import functools
import inspect
import numbers
import os
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from qssl_tf.errors import UserError, shown

Function = TypeVar("Function", bound=Callable[..., Any])

# What a type is called in a message.
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "True or False",
    "Path": "a path",
    "Circuit": "a circuit of Cirq",
    "Config": "a Config (such as qssl_tf.PRESETS['paper'])",
    "ImageData": "ImageData (as ImageData.from_arrays makes it)",
    "QuantumHead": "a QuantumHead",
    "TrainedRun": "what `pretrain` and `load_run` return",
    "NoneType": "None",
}


def checks_arguments(function: Function) -> Function:
    """Make a public function refuse unknown arguments and those of another type than its annotations say.

    NumPy's numbers pass as Python's, and paths go through `as_path`. Ranges and what belongs together stay the
    function's business, and so do arguments that are annotated with `Any`.

    Raises:
        UserError: By the function that is returned: it names the argument.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*positional: Any, **named: Any) -> Any:
        _check_names(function.__name__, signature, named)
        bound = _bound(function.__name__, signature.bind_partial, signature, positional, named)
        given, hints = bound.arguments, _hints(function)
        for name, value in given.items():
            kind = signature.parameters[name].kind
            if name in hints and kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
                check_argument(name, value, hints[name], _meant(value, hints, given))
                if Path in get_args(hints[name]):
                    given[name] = as_path(name, value)
        _bound(function.__name__, signature.bind, signature, positional, named)  # a missing one
        return function(*bound.args, **bound.kwargs)

    return called  # type: ignore[return-value]


def _bound(
    function: str,
    bind: Callable[..., Any],
    signature: inspect.Signature,
    positional: Sequence[Any],
    named: dict[str, Any],
) -> inspect.BoundArguments:
    """Return the values of the arguments by name; refuse too many, or too few, as `bind` has it."""
    try:
        return bind(*positional, **named)
    except TypeError as error:
        takes = ", ".join(f"`{known}`" for known in signature.parameters)
        raise UserError(f"{function} cannot be called like this: {error}; it takes {takes}.") from None


def _meant(value: Any, hints: dict[str, Any], given: dict[str, Any]) -> str:
    """Return which argument that was not given a value of the package's own kinds is for, as a sentence."""
    fitting = [
        name
        for name, hint in hints.items()
        if name != "return" and name not in given and any(_is(value, kind) for kind in get_args(hint) or (hint,))
    ]
    return (
        f" Did you mean `{fitting[0]}`?" if len(fitting) == 1 and type(value).__module__.startswith("qssl_tf") else ""
    )


def check_argument(name: str, value: Any, hint: Any, remedy: str = "") -> None:
    """Refuse a value that is none of what an annotation allows.

    Raises:
        UserError: It names the argument, what it may be and what it is.
    """
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if any(_is(value, kind) for kind in kinds):
        return
    words = list(dict.fromkeys(_words(kind) for kind in kinds))
    plain = value is None or isinstance(value, str | bool | numbers.Number | Path)
    got = shown(value) if plain else _with_article(type(value).__name__)
    raise UserError(f"`{name}` must be {' or '.join(words)}; got {got}.{remedy}")


def as_path(name: str, value: Any) -> Any:
    """Return a path that a user wrote with `~` for a home folder as one without; other values as they are.

    Raises:
        UserError: It holds a NUL character, which no file system takes, or this user has no home folder.
    """
    if not isinstance(value, str | Path):
        return value
    text = os.path.expanduser(value)
    if "\0" in text:
        raise UserError(f"`{name}` must be a path, without NUL characters; got {shown(text)}.")
    if text.split("/")[0] == "~":
        raise UserError(f"`{name}` must be without ~, since this user has no home folder; got {shown(text)}.")
    return type(value)(text)


def _with_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def _check_names(function: str, signature: inspect.Signature, named: dict[str, Any]) -> None:
    """Refuse a keyword that the function does not have, and name the nearest."""
    parameters = signature.parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    for name in named:
        if name not in parameters:
            raise unknown_argument(function, name, parameters)


def unknown_argument(function: str, name: str, names: Sequence[str] | Any) -> UserError:
    """Build the error for an argument that a function or class does not have, with the nearest that it has."""
    near = difflib.get_close_matches(name[:100], list(names), n=1)
    hint = f" Did you mean `{near[0]}`?" if near else f" It takes {', '.join(f'`{known}`' for known in names)}."
    return UserError(f"{function} has no argument `{name[:100]}`.{hint}")


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function)


def _is(value: Any, kind: Any) -> bool:
    """Return whether a value is of a kind, as a user of Python and NumPy sees it."""
    if kind is Any or isinstance(kind, TypeVar):
        return True
    if get_origin(kind) is Sequence:
        inner = get_args(kind)[0]
        return isinstance(value, Sequence) and not isinstance(value, str) and all(_is(one, inner) for one in value)
    kind = get_origin(kind) or kind
    looser: dict[Any, Any] = {int: numbers.Integral, float: numbers.Real, Path: os.PathLike}
    if kind in (int, float):
        return isinstance(value, looser[kind]) and not isinstance(value, bool)
    return isinstance(value, looser.get(kind, kind))


def _words(kind: Any) -> str:
    if get_origin(kind) is Sequence:
        inner = get_args(kind)[0]
        return "a list of strings" if inner is str else f"a list of {inner.__name__}"
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    return WORDS.get(name, f"a {name}")
