"""Records and arrays twisted into nonsense: right JSON of the wrong meaning, from a right example."""

import copy
import math

import numpy as np

PERCENT = ("accuracy_last", "accuracy_best", "accuracy_exact", "balanced_accuracy", "majority_share", "accuracy")
NUMBERS = (-1, 0, 1, 2, 99, 150, 2**31, 2**63, 10**400, -0.5, 0.5, 1e-300, 1e308, math.nan, math.inf, -math.inf)
WORDS = (
    "",
    "x" * 5000,
    "../../etc/passwd",
    "\ud800",
    "<script>",
    "a\nb",
    "\x00",
    "nan",
    "7",
    "`|`",
    "{}",
    "%s",
    "[/x]",
)
ANYTHING = (None, True, [], {}, "x", 3, -1, 2.5, [[]], [None], {"": None}, *NUMBERS, *WORDS)


def places(value, path=()):
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def other(value, whole, rng):
    """Return something else of the wrong meaning."""
    choices = [lambda: rng.choice(ANYTHING), lambda: copy.deepcopy(at(whole, rng.choice(list(places(whole)))))]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        choices += [
            lambda: rng.choice(NUMBERS),
            lambda: -value,
            lambda: value + 1,
            lambda: value * 2,
            lambda: str(value),
        ]
    elif isinstance(value, str):
        choices += [lambda: rng.choice(WORDS), lambda: value * 2, lambda: value[:-1]]
    elif isinstance(value, list):
        choices += [lambda: value[:-1], lambda: value + value, lambda: [value], lambda: value[::-1], list]
        choices += [lambda: [*value, rng.choice(ANYTHING)]]
    elif isinstance(value, dict) and value:
        gone = rng.choice(list(value))
        without = {key: part for key, part in value.items() if key != gone}
        choices += [lambda: without, lambda: without | {f"{gone}s": value[gone]}, dict]
        choices += [lambda: value | {rng.choice(WORDS): rng.choice(ANYTHING)}]
    return rng.choice(choices)()


def twisted(right, rng):
    """Return a copy of a record with one to three places of another meaning."""
    found = copy.deepcopy(right)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = rng.choice(list(places(found)))
        if not path:
            found = other(found, right, rng) if rng.random() < 0.1 else found
            if not isinstance(found, (dict, list)) or not found:
                return found
            continue
        at(found, path[:-1])[path[-1]] = other(at(found, path), right, rng)
    return found


def check_meaning(right, found, name=""):
    """Judge an accepted record by a right one: equal kinds in equal places, finite numbers, percentages up to 100."""
    if isinstance(right, dict) and isinstance(found, dict):
        for key in right.keys() & found.keys():
            check_meaning(right[key], found[key], key)
    elif isinstance(right, list) and isinstance(found, list):
        for entry in found:
            check_meaning(right[0] if right else None, entry, name)
    elif right is not None and found is not None:
        numbers = (int, float)
        kinds = numbers if type(right) in numbers else type(right)
        assert isinstance(found, kinds) and (isinstance(found, bool) == isinstance(right, bool)), (name, found)
    if isinstance(found, float):
        assert math.isfinite(found), name
    if isinstance(found, int):
        assert abs(found) < 2**63, name
    if name in PERCENT and isinstance(found, (int, float)):
        assert 0 <= found <= 100, (name, found)


def wrong_array(array, rng):
    """Return an array of another shape, kind or meaning."""
    changes = [
        lambda: array[..., :-1], lambda: array[None], lambda: array.astype(str), lambda: array.astype(complex),
        lambda: array * np.nan, lambda: array + np.inf, lambda: array + 99, lambda: -array - 1, lambda: array[:0],
        lambda: np.concatenate([array, array]), lambda: array.astype(bool), lambda: array * 1e30, lambda: array.T[::-1],
        lambda: array.astype(np.uint64) + np.uint64(2**63), lambda: np.array(3), lambda: array.astype(np.float16),
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        return rng.choice(changes)()
