"""Cutting an encoder into blocks where all of it passes through one layer, so that little has to be kept in between."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import keras

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, reason, shown

WITHIN = 1.5  # copies of a block's activations at a time: themselves, and gradients of some (models/sizes.py)


def blocks_of(encoder: keras.Model) -> list[keras.Model]:
    """Return models that share the encoder's layers and do the same one after the other.

    They are cut so that what is kept between them, and the activations within the largest, are fewest together
    (checkpoints of arXiv:1604.06174).

    Raises:
        UserError: No place of the encoder has all of it pass through one layer.
    """
    try:
        graph = keras.Model(encoder.inputs, encoder.outputs)
        descriptions = graph.get_config()["layers"]
    except Exception as error:  # layers of the user's own raise anything
        raise _not_a_graph(encoder, reason(error)) from error
    names = [description["name"] for description in descriptions]
    sizes = [math.prod(side or 1 for side in graph.get_layer(name).output.shape[1:]) for name in names]
    places = _best_cuts(sizes, _passages(descriptions))
    if not places:
        raise _not_a_graph(encoder, "there is no such place")
    tensors = [encoder.inputs[0], *(graph.get_layer(names[place]).output for place in places), encoder.outputs[0]]
    return [keras.Model(first, last) for first, last in pairwise(tensors)]


def _not_a_graph(encoder: keras.Model, why: str) -> UserError:
    return UserError(
        f"{argument('recompute_blocks', True)} needs an encoder of Keras layers with places where all passes through "
        f"one of them; got {shown(encoder)} ({why}); take {argument('chunk_size')}."
    )


def _passages(descriptions: Sequence[dict[str, Any]]) -> list[int]:
    """Return the layers behind which nothing but their own output is needed, the first and the last left out."""
    places = {description["name"]: index for index, description in enumerate(descriptions)}
    last_uses = list(range(len(descriptions)))  # layer -> the last layer that takes its output
    for index, description in enumerate(descriptions):
        for name in _sources(description["inbound_nodes"]):
            last_uses[places[name]] = max(last_uses[places[name]], index)
    middle = range(1, len(descriptions) - 1)
    return [index for index in middle if all(last_uses[before] <= index for before in range(index))]


def _sources(nodes: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a serialized call takes."""
    if isinstance(nodes, dict):
        if "keras_history" in nodes:
            yield nodes["keras_history"][0]
        nodes = list(nodes.values())
    if isinstance(nodes, list | tuple):
        for node in nodes:
            yield from _sources(node)


def _best_cuts(sizes: Sequence[int], passages: Sequence[int]) -> list[int]:
    """Return where to cut: the sizes of what is kept, and of the largest block, are smallest together."""
    ends = [0, *passages, len(sizes) - 1]

    def within(first: int, last: int) -> int:
        return sum(sizes[ends[first] + 1 : ends[last] + 1])

    count, best, best_cost = len(ends), [], math.inf
    for limit in sorted({within(first, last) for last in range(count) for first in range(last)}):
        kept: list[tuple[float, list[int]]] = [(0, [])]  # the least to keep up to each end, and the cuts that do
        for last in range(1, count):
            options = [first for first in range(last) if within(first, last) <= limit]
            cost, cuts = min(((kept[first][0], kept[first][1]) for first in options), default=(math.inf, []))
            kept.append((cost + sizes[ends[last]], [*cuts, ends[last]]))
        cost, cuts = kept[-1]
        if cost + WITHIN * limit < best_cost:
            best, best_cost = cuts[:-1], cost + WITHIN * limit
    return best
