"""A head's circuit prepared for the simulator of statevector.py: angles in, states and estimates out."""

from collections.abc import Callable
from dataclasses import dataclass

import cirq
import keras
import numpy as np
import tensorflow as tf

from qssl_tf.quantum.fusion import Program, program
from qssl_tf.quantum.observables import basis_change, members
from qssl_tf.quantum.rows import Rows, probabilities, signs
from qssl_tf.quantum.sampling import outcomes, uniform
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.splitting import SplitCircuit, split
from qssl_tf.quantum.statevector import evolve


@dataclass(frozen=True)
class Simulation:
    """A circuit that is ready to run.

    Attributes:
        gates: Each with its own angle; ends in the basis in which each observable is a product of Z.
        program: The fused gates.
        started: Angles of the row gates -> initial amplitudes, where the program does not make them; else None.
        members: 1 where a qubit belongs to an observable, shape (width, observables).
        inputs: Number of input symbols; the weights' symbols follow.
        shots: Measurements of each expectation; None is exact.
    """

    gates: SplitCircuit
    program: Program
    started: Callable[[tf.Tensor], tf.Tensor] | None
    members: np.ndarray
    inputs: int
    shots: int | None

    @property
    def bytes_per_row(self) -> int:
        """About how much memory a row needs: the states after each step, those of the gradient, and shots."""
        program = self.program
        return 8 * 2**program.width * program.copies * (2 * len(program.steps) + 4) + 64 * (self.shots or 0)

    def angles(self, inputs: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the angles of the row gates, shape (n, row gates), and of the others, shape (gates,).

        Args:
            inputs: Angles of the encoding, shape (n, input symbols).
            weights: Shape (weights,), or (n, weights) where gates with weights are row gates too.
        """
        own = list(self.program.row_gates)
        by_inputs, by_weights = np.split(self.gates.matrix, [self.inputs])
        rows = tf.matmul(inputs, by_inputs[:, own]) + self.gates.offset[own]
        if len(weights.shape) == 2:
            return rows + tf.matmul(weights, by_weights[:, own]), tf.constant(self.gates.offset)
        return rows, tf.linalg.matvec(by_weights, weights, transpose_a=True) + self.gates.offset

    def states(self, rows: tf.Tensor, shared: tf.Tensor) -> Rows:
        """Return the states before the measurement."""
        return evolve(self.program, rows, shared, self.started)

    def exact(self, states: Rows) -> tf.Tensor:
        """Return the exact expectations, shape (n, observables)."""
        order, chances = probabilities(states)  # (2^width, n)
        return tf.matmul(chances, signs(self.members, order), transpose_a=True)

    def estimate(self, states: Rows, seed: tf.Tensor, first_row: tf.Tensor) -> tf.Tensor:
        """Return the expectations, shape (n, observables): from fresh shots, the same for all, or exact.

        Args:
            states: Before the measurement.
            seed: Two integers, for shots.
            first_row: Number of the first row in the whole batch; each row has shots of its own.
        """
        if self.shots is None:
            return self.exact(states)
        order, chances = probabilities(states)
        values = tf.constant(signs(self.members, order))  # (2^width, observables)
        drawn = outcomes(chances, uniform(seed, first_row, tf.shape(chances)[1], self.shots))  # (shots, n)
        return tf.reduce_mean(tf.gather(values, drawn), axis=0)

    def weighted(self, chances: list[tf.Tensor], values: tf.Tensor, seed: tf.Tensor, first_row: tf.Tensor) -> tf.Tensor:
        """Return the mean value of each row under each of several distributions, shape (distributions, n).

        Args:
            chances: Probabilities of the outcomes, shape (2^width, n) each.
            values: What each outcome counts for each row, shape (2^width, n).
            seed: Two integers, for shots.
            first_row: Number of the first row in the whole batch.
        """
        if self.shots is None:
            return tf.stack([tf.reduce_sum(chance * values, axis=0) for chance in chances])
        n = tf.shape(values)[1]
        seeds = [tf.random.experimental.stateless_fold_in(seed, number) for number in range(len(chances))]
        numbers = tf.concat([uniform(each, first_row, n, self.shots) for each in seeds], axis=0)
        drawn = outcomes(tf.concat(chances, axis=1), numbers)  # (shots, distributions * n)
        column = tf.tile(tf.range(n), [len(chances)])
        counted = tf.gather(tf.reshape(values, [-1]), drawn * n + column)
        return tf.reshape(tf.reduce_mean(counted, axis=0), (len(chances), -1))


def simulation(spec: CircuitSpec, circuit: cirq.Circuit, shots: int | None, all_by_row: bool = False) -> Simulation:
    """Prepare a circuit.

    Args:
        spec: The head's circuit.
        circuit: The same as it is executed, perhaps dephased between layers; without the basis change.
        shots: Measurements of each expectation; None is exact.
        all_by_row: Let the gates with weights have an angle for each row too.

    Raises:
        UserError: A gate or channel that this simulator does not know.
    """
    gates = split(circuit + basis_change(spec.observables), spec.inputs + spec.weights)
    by_row = np.any(gates.matrix[: len(spec.inputs)], axis=0) | all_by_row
    own = np.flatnonzero(by_row).tolist()
    is_prepared = spec.encoding.amplitudes is not None
    prepared = sum(1 for _ in spec.blocks[0].all_operations()) if is_prepared else 0
    return Simulation(
        gates,
        program(gates, spec.qubits, own, prepared),
        _started(spec, gates.matrix[: len(spec.inputs), own]) if is_prepared else None,
        members(spec.observables, spec.qubits),
        len(spec.inputs),
        shots,
    )


def _started(spec: CircuitSpec, gate_of: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return row angles -> initial amplitudes.

    Args:
        spec: The head's circuit, whose encoding has `amplitudes`; each of its symbols turns one gate.
        gate_of: 1 where a symbol turns a row gate, shape (input symbols, row gates).
    """
    amplitudes, width = spec.encoding.amplitudes, len(spec.qubits)
    assert amplitudes is not None
    return lambda rows: amplitudes(tf.matmul(rows, gate_of, transpose_b=True), keras.ops, width)
