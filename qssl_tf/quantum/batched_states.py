"""Batches of states in real numbers, and the probabilities of their outcomes.

A complex amplitude is two real numbers, indexed by one more axis (RE_IM) beside those of the qubits. The batch is the
last axis of every tensor, so that moving wires to the front moves contiguous rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

RE_IM = -1  # the wire that indexes real and imaginary part; a state without it is real


class BatchedStates(NamedTuple):
    """A batch of states.

    Attributes:
        order: The wires, most significant bit of the first axis first; RE_IM among them if the states are complex.
        values: float32, shape (2^len(order), copies, batch); batch is 1 until an angle differs from row to row.
    """

    order: tuple[int, ...]
    values: tf.Tensor


def adjacent_runs(positions: Sequence[int]) -> list[list[int]]:
    """Return positions in runs of neighbours: axes that stay adjacent are transposed as one."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return runs


def wires_to_front(states: BatchedStates, wires: tuple[int, ...]) -> BatchedStates:
    """Return the same states with `wires` first."""
    order = (*wires, *(wire for wire in states.order if wire not in wires))
    if order == states.order:
        return states
    runs = adjacent_runs([states.order.index(wire) for wire in order])
    old = sorted(runs)
    copies = states.values.shape[1]
    tensor = tf.reshape(states.values, [*(2 ** len(run) for run in old), copies, -1])
    transposed = tf.transpose(tensor, [*(old.index(run) for run in runs), len(runs), len(runs) + 1])
    return BatchedStates(order, tf.reshape(transposed, (2 ** len(order), copies, -1)))


def bits_of(order: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the bit of each wire in every index, shape (2^len(order),) each."""
    indices = np.arange(2 ** len(order))
    return {wire: (indices >> (len(order) - 1 - position)) & 1 for position, wire in enumerate(order)}


def probabilities(states: BatchedStates) -> tuple[tuple[int, ...], tf.Tensor]:
    """Return the order of the wires and the probability of each outcome, shape (2^width, n)."""
    if RE_IM not in states.order:
        return states.order, tf.reduce_sum(states.values**2, axis=1)
    order, values = wires_to_front(states, (RE_IM,))
    size = 2 ** (len(order) - 1)
    return order[1:], tf.reduce_sum(values[:size] ** 2 + values[size:] ** 2, axis=1)


def eigenvalues(support_mask: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return the eigenvalue of each observable for each outcome, shape (2^width, observables).

    Args:
        support_mask: 1 where a qubit belongs to an observable, shape (width, observables).
        order: The wires, most significant bit of an outcome first.
    """
    width = len(order)
    bits = (np.arange(2**width)[:, None] >> np.arange(width)[::-1]) & 1  # (2^width, width)
    return (1 - 2 * (bits @ support_mask[list(order)] % 2)).astype(np.float32)
