"""A head's circuit compiled for the simulator in statevector.py: angles in, states and estimates out."""

from collections.abc import Callable
from dataclasses import dataclass

import cirq
import keras
import numpy as np
import tensorflow as tf

from qssl_tf.quantum.batched_states import BatchedStates, eigenvalues, probabilities
from qssl_tf.quantum.fusion import Program, fuse
from qssl_tf.quantum.gatewise import GatewiseCircuit, gatewise
from qssl_tf.quantum.observables import basis_change, support_mask
from qssl_tf.quantum.sampling import sample_outcomes, uniform
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.statevector import evolve


@dataclass(frozen=True)
class Simulation:
    """A compiled circuit.

    Attributes:
        gates: The circuit, gate by gate; it ends in the basis in which each observable is a product of Z.
        program: The fused gates.
        initial_amplitudes: Angles of the row gates -> initial amplitudes, if the program does not prepare them.
        support_mask: 1 where a qubit belongs to an observable, shape (width, observables).
        inputs: Number of input symbols; the weights' symbols follow.
        shots: Measurements of each expectation; None is exact.
    """

    gates: GatewiseCircuit
    program: Program
    initial_amplitudes: Callable[[tf.Tensor], tf.Tensor] | None
    support_mask: np.ndarray
    inputs: int
    shots: int | None

    @property
    def bytes_per_row(self) -> int:
        """Estimated memory of one row: the states after each step, those of the gradient, and the shots."""
        program = self.program
        return 8 * 2**program.width * program.copies * (2 * len(program.steps) + 4) + 64 * (self.shots or 0)

    def angles(self, inputs: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the angles of the row gates, shape (n, row gates), and of the others, shape (gates,).

        Args:
            inputs: Angles of the encoding, shape (n, input symbols).
            weights: Shape (weights,), or (n, weights) where gates with weights are row gates too.
        """
        row_gates = list(self.program.row_gates)
        by_inputs, by_weights = np.split(self.gates.matrix, [self.inputs])
        rows = tf.matmul(inputs, by_inputs[:, row_gates]) + self.gates.offset[row_gates]
        if len(weights.shape) == 2:
            return rows + tf.matmul(weights, by_weights[:, row_gates]), tf.constant(self.gates.offset)
        return rows, tf.linalg.matvec(by_weights, weights, transpose_a=True) + self.gates.offset

    def states(self, rows: tf.Tensor, shared: tf.Tensor) -> BatchedStates:
        """Return the states before the measurement."""
        return evolve(self.program, rows, shared, self.initial_amplitudes)

    def exact(self, states: BatchedStates) -> tf.Tensor:
        """Return the exact expectations, shape (n, observables)."""
        order, outcome_probabilities = probabilities(states)  # (2^width, n)
        return tf.matmul(outcome_probabilities, eigenvalues(self.support_mask, order), transpose_a=True)

    def estimate(self, states: BatchedStates, seed: tf.Tensor, first_row: tf.Tensor) -> tf.Tensor:
        """Return the expectations, shape (n, observables): exact, or from new shots shared by all observables.

        Args:
            states: Before the measurement.
            seed: Two integers, for shots.
            first_row: Index of the first row in the whole batch, since each row has its own shots.
        """
        if self.shots is None:
            return self.exact(states)
        order, outcome_probabilities = probabilities(states)
        values = tf.constant(eigenvalues(self.support_mask, order))  # (2^width, observables)
        numbers = uniform(seed, first_row, tf.shape(outcome_probabilities)[1], self.shots)
        samples = sample_outcomes(outcome_probabilities, numbers)  # (shots, n)
        return tf.reduce_mean(tf.gather(values, samples), axis=0)

    def weighted_means(
        self, distributions: list[tf.Tensor], values: tf.Tensor, seed: tf.Tensor, first_row: tf.Tensor
    ) -> tf.Tensor:
        """Return the mean value of each row under each of several distributions, shape (distributions, n).

        Args:
            distributions: Probabilities of the outcomes, shape (2^width, n) each.
            values: Value of each outcome for each row, shape (2^width, n).
            seed: Two integers, for shots.
            first_row: Index of the first row in the whole batch.
        """
        if self.shots is None:
            return tf.stack([tf.reduce_sum(distribution * values, axis=0) for distribution in distributions])
        n = tf.shape(values)[1]
        seeds = [tf.random.experimental.stateless_fold_in(seed, number) for number in range(len(distributions))]
        numbers = tf.concat([uniform(shot_seed, first_row, n, self.shots) for shot_seed in seeds], axis=0)
        samples = sample_outcomes(tf.concat(distributions, axis=1), numbers)  # (shots, distributions * n)
        column = tf.tile(tf.range(n), [len(distributions)])
        sample_values = tf.gather(tf.reshape(values, [-1]), samples * n + column)
        return tf.reshape(tf.reduce_mean(sample_values, axis=0), (len(distributions), -1))


def simulation(spec: CircuitSpec, circuit: cirq.Circuit, shots: int | None, all_by_row: bool = False) -> Simulation:
    """Compile a circuit.

    Args:
        spec: The head's circuit.
        circuit: The circuit as it is executed, possibly with dephasing between layers; without the basis change.
        shots: Measurements of each expectation; None is exact.
        all_by_row: Give gates with weights a separate angle for each row, too.

    Raises:
        UserError: A gate or channel that this simulator does not know.
    """
    gates = gatewise(circuit + basis_change(spec.observables), spec.inputs + spec.weights)
    by_row = np.any(gates.matrix[: len(spec.inputs)], axis=0) | all_by_row
    row_gates = np.flatnonzero(by_row).tolist()
    has_direct_start = spec.encoding.amplitudes is not None
    skip = sum(1 for _ in spec.blocks[0].all_operations()) if has_direct_start else 0
    return Simulation(
        gates,
        fuse(gates, spec.qubits, row_gates, skip),
        _initial_amplitudes(spec, gates.matrix[: len(spec.inputs), row_gates]) if has_direct_start else None,
        support_mask(spec.observables, spec.qubits),
        len(spec.inputs),
        shots,
    )


def _initial_amplitudes(spec: CircuitSpec, gate_of_symbol: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return row angles -> initial amplitudes.

    Args:
        spec: The head's circuit, whose encoding has `amplitudes`; each of its symbols is the angle of one gate.
        gate_of_symbol: 1 where a symbol is the angle of a row gate, shape (input symbols, row gates).
    """
    amplitudes, width = spec.encoding.amplitudes, len(spec.qubits)
    assert amplitudes is not None
    return lambda rows: amplitudes(tf.matmul(rows, gate_of_symbol, transpose_b=True), keras.ops, width)
