"""States of a batch as rows of real numbers, and what is read off them.

All numbers are real: a complex amplitude is two real ones, told apart by one more axis beside the qubits' (RE_IM). The
batch is the last axis of every tensor, so that bringing wires to the front moves whole rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

RE_IM = -1  # the axis of real and imaginary part among the wires; a state without it is real


class Rows(NamedTuple):
    """States of a batch.

    Attributes:
        order: The wires, most significant bit of the first axis first; RE_IM among them if the states are complex.
        values: float32, shape (2^len(order), copies, batch); batch is 1 before anything depends on a row.
    """

    order: tuple[int, ...]
    values: tf.Tensor


def front(states: Rows, wires: tuple[int, ...]) -> Rows:
    """Return the same states with `wires` before all others."""
    order = (*wires, *(wire for wire in states.order if wire not in wires))
    if order == states.order:
        return states
    # Neighbours that stay neighbours move as one axis.
    places = [states.order.index(wire) for wire in order]
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    old = sorted(runs)
    copies = states.values.shape[1]
    split = tf.reshape(states.values, [*(2 ** len(run) for run in old), copies, -1])
    moved = tf.transpose(split, [*(old.index(run) for run in runs), len(runs), len(runs) + 1])
    return Rows(order, tf.reshape(moved, (2 ** len(order), copies, -1)))


def bits_of(order: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the value of each wire in each index, shape (2^len(order),) each."""
    indices = np.arange(2 ** len(order))
    return {wire: (indices >> (len(order) - 1 - place)) & 1 for place, wire in enumerate(order)}


def probabilities(states: Rows) -> tuple[tuple[int, ...], tf.Tensor]:
    """Return the order of the wires and the probability of each outcome, shape (2^width, n)."""
    if RE_IM not in states.order:
        return states.order, tf.reduce_sum(states.values**2, axis=1)
    order, values = front(states, (RE_IM,))
    size = 2 ** (len(order) - 1)
    return order[1:], tf.reduce_sum(values[:size] ** 2 + values[size:] ** 2, axis=1)


def signs(members: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return the value of each observable for each outcome, shape (2^width, observables).

    Args:
        members: 1 where a qubit belongs to an observable, shape (width, observables).
        order: The wires from the most significant bit of an outcome on.
    """
    width = len(order)
    bits = (np.arange(2**width)[:, None] >> np.arange(width)[::-1]) & 1  # (2^width, width)
    return (1 - 2 * (bits @ members[list(order)] % 2)).astype(np.float32)
