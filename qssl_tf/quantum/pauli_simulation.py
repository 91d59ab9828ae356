"""Expectations of a noisy circuit without a density matrix: observables backwards, states forward, met in the middle.

Everything behind the encoding is one linear map for all rows (Heisenberg picture), so the cost hardly depends on their
number: 4^width coefficients of each observable go backwards, and 3^width of them meet the rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.batched_states import adjacent_runs, eigenvalues
from qssl_tf.quantum.gatewise import GatewiseCircuit
from qssl_tf.quantum.pauli_program import Block, PauliProgram
from qssl_tf.quantum.sampling import sample_outcomes, uniform

OUTCOMES_AT_ONCE = 8  # go backwards together: measured at 8 qubits, where 64 take 1.3 times as long


@dataclass(frozen=True, eq=False)  # told apart by identity
class PauliSimulation:
    """A circuit that is ready to run.

    Attributes:
        gates: Each with its own angle.
        program: Its steps, readout errors included; it ends in the basis in which each observable is a product of Z.
        support_mask: 1 where a qubit belongs to an observable, shape (width, observables).
        inputs: Number of input symbols; the weights' symbols follow.
        shots: Measurements of each expectation; None is exact.
    """

    gates: GatewiseCircuit
    program: PauliProgram
    support_mask: np.ndarray
    inputs: int
    shots: int | None

    def angles(self, inputs: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return each qubit's angle of the rows, shape (n, width), and the angles of all gates, shape (gates,)."""
        by_inputs, by_weights = np.split(self.gates.matrix, [self.inputs])
        shared = tf.linalg.matvec(by_weights, weights, transpose_a=True) + self.gates.offset  # (gates,)
        own = np.zeros((len(self.gates.names), self.program.width), np.float32)  # 1 where a gate is a qubit's front
        for wire, front in enumerate(self.program.fronts):
            if front.angle is not None:
                own[front.angle, wire] = 1.0
        return tf.matmul(inputs, by_inputs @ own) + tf.linalg.matvec(own, shared, transpose_a=True), shared

    def exact(self, rows: tf.Tensor, shared: tf.Tensor) -> tf.Tensor:
        """Return the exact expectations, shape (n, observables)."""
        index = self.support_mask.astype(int).T @ 2 ** np.arange(self.program.width)[::-1]
        start = tf.one_hot(index, 2**self.program.width, axis=0)  # (2^width, observables), a digit being I or Z
        return _contract(rows, self._backwards(start, shared))

    def probabilities(self, rows: tf.Tensor, shared: tf.Tensor) -> tf.Tensor:
        """Return the probability of each outcome, shape (2^width, n); qubit 0 is the most significant bit."""
        count = 2**self.program.width
        size = min(OUTCOMES_AT_ONCE, count)

        def group(first: tf.Tensor) -> tf.Tensor:
            return self._backwards(_projectors(first + tf.range(size), self.program.width), shared)

        maps = tf.map_fn(group, tf.range(0, count, size), fn_output_signature=tf.float32)  # (groups, size, 3^width)
        return tf.maximum(_contract(rows, tf.reshape(maps, (count, -1)), many=True), 0.0)

    def estimate(self, rows: tf.Tensor, shared: tf.Tensor, seed: tf.Tensor, first_row: tf.Tensor) -> tf.Tensor:
        """Return the expectations, shape (n, observables): from fresh shots, the same for all, or exact."""
        if self.shots is None:
            return self.exact(rows, shared)
        values = tf.constant(eigenvalues(self.support_mask, range(self.program.width)))  # (2^width, observables)
        drawn = sample_outcomes(
            self.probabilities(rows, shared), uniform(seed, first_row, tf.shape(rows)[0], self.shots)
        )
        return tf.reduce_mean(tf.gather(values, drawn), axis=0)

    def _backwards(self, start: tf.Tensor, shared: tf.Tensor) -> tf.Tensor:
        """Return what meets the rows, shape (m, 3^width), of m observables, shape (2^width, m)."""
        wires = tuple(range(self.program.width))
        state = Coefficients(wires, (2,) * len(wires), start)
        matrices = _matrices(self.program.blocks, shared)
        for block, matrix in zip(reversed(self.program.blocks), reversed(matrices), strict=True):
            order, sizes, values = _wires_to_front(state, block.wires)
            moved = tf.matmul(matrix, tf.reshape(values, (matrix.shape[0], -1)), transpose_a=True)
            state = Coefficients(order, (*block.before, *sizes[len(block.wires) :]), moved)
        _, _, values = _wires_to_front(state, wires)
        return tf.transpose(tf.reshape(values, (3 ** len(wires), -1)))


class Coefficients(NamedTuple):
    """Coefficients of observables, by one digit for each wire.

    Attributes:
        order: The wires, most significant digit first.
        sizes: How many values each digit takes.
        values: float32; the digits, then the observables.
    """

    order: tuple[int, ...]
    sizes: tuple[int, ...]
    values: tf.Tensor


def _wires_to_front(state: Coefficients, wires: tuple[int, ...]) -> Coefficients:
    """Return the same coefficients with `wires` before all others."""
    order = (*wires, *(wire for wire in state.order if wire not in wires))
    if order == state.order:
        return state
    size_of = dict(zip(state.order, state.sizes, strict=True))
    runs = adjacent_runs([state.order.index(wire) for wire in order])
    old = sorted(runs)
    lengths = [math.prod(state.sizes[place] for place in run) for run in old]
    moved = tf.transpose(tf.reshape(state.values, [*lengths, -1]), [*(old.index(run) for run in runs), len(runs)])
    return Coefficients(order, tuple(size_of[wire] for wire in order), moved)


def _matrices(blocks: Sequence[Block], shared: tf.Tensor) -> list[tf.Tensor]:
    """Return the transfer matrix of each block, the product of its factors."""
    half = shared / 2
    functions = tf.stack([tf.ones_like(half), tf.cos(shared), tf.sin(shared), tf.cos(half), tf.sin(half)], axis=1)
    found = []
    for block in blocks:
        product = None
        for terms, angle in zip(block.factors, block.angles, strict=True):
            factor = tf.constant(terms[0]) if angle is None else tf.tensordot(functions[angle], terms, 1)
            product = factor if product is None else tf.matmul(factor, product)
        found.append(product)
    return found


def _projectors(numbers: tf.Tensor, width: int) -> tf.Tensor:
    """Return the projectors on outcomes as coefficients of products of I and Z, shape (2^width, outcomes)."""
    state = tf.ones((1, tf.shape(numbers)[0]))
    for place in range(width):
        bit = tf.cast((numbers // 2 ** (width - 1 - place)) % 2, tf.float32)
        factor = tf.stack([tf.fill(tf.shape(bit), 0.5), 0.5 - bit])  # (1 + Z)/2 or (1 - Z)/2
        state = tf.reshape(state[:, tf.newaxis] * factor, (2 ** (place + 1), -1))
    return state


def _contract(rows: tf.Tensor, maps: tf.Tensor, many: bool = False) -> tf.Tensor:
    """Return the product of each row's states with each map.

    Args:
        rows: Each qubit's angle, shape (n, width).
        maps: Shape (m, 3^width).
        many: There are many maps: the rows' states are multiplied out, and the result is (m, n) in place of (n, m).
    """
    width = rows.shape[1]
    functions = tf.stack([tf.ones_like(rows), tf.cos(rows), tf.sin(rows)], axis=2)  # (n, width, 3)
    middle = (width + 1) // 2
    left, right = _products(functions[:, :middle]), _products(functions[:, middle:])
    if many:
        states = tf.reshape(left[:, :, tf.newaxis] * right[:, tf.newaxis], (-1, 3**width))
        return tf.matmul(maps, states, transpose_b=True)
    split = tf.transpose(tf.reshape(maps, (-1, 3**middle, 3 ** (width - middle))), (1, 0, 2))  # (3^a, m, 3^b)
    half = tf.matmul(left, tf.reshape(split, (3**middle, -1)))
    half = tf.reshape(half, (-1, split.shape[1] or tf.shape(split)[1], 3 ** (width - middle)))  # (n, m, 3^b)
    return tf.reduce_sum(half * right[:, tf.newaxis], axis=2)


def _products(functions: tf.Tensor) -> tf.Tensor:
    """Return the products of one function of each qubit, shape (n, 3^k), from (n, k, 3)."""
    if functions.shape[1] == 0:
        return tf.ones((tf.shape(functions)[0], 1))
    found = functions[:, 0]
    for place in range(1, functions.shape[1]):
        found = tf.reshape(found[:, :, tf.newaxis] * functions[:, place, tf.newaxis], (-1, 3 ** (place + 1)))
    return found
