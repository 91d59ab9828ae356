"""The quantum head under noise, exactly: Pauli transfer matrices, compiled by XLA, on CPU or GPU."""

import functools
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.memory import available
from qssl_tf.quantum.gatewise import GatewiseCircuit, gatewise
from qssl_tf.quantum.gradient_rules import shift_terms
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.observables import basis_change, support_mask
from qssl_tf.quantum.pauli_program import pauli_program
from qssl_tf.quantum.pauli_simulation import OUTCOMES_AT_ONCE, PauliSimulation
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.quantum.statevector_gradients import Expectations, in_chunks
from qssl_tf.quantum.tfq_availability import why_absent
from qssl_tf.quantum.transfer import Transfer, transfers
from qssl_tf.xla import compiled

_simulations: dict[tuple, PauliSimulation] = {}
AT_ONCE = 2**27  # bytes that a chunk of rows may take


@functools.cache
def pauli_expectations(run: PauliSimulation, gradient: str) -> Expectations:
    """Return (angles (n, input symbols), weights (weights,), seed (2,), first row) -> expectations (n, observables).

    Without shots they and their gradient are exact, noise included. With shots, outcomes are drawn from the exact
    distribution of the noisy circuit, the same for all observables; `adjoint` differentiates the exact expectations.

    Args:
        run: From `simulation`, which returns one object for equal circuits with equal settings.
        gradient: Key of MODES.

    Raises:
        UserError: Coefficients beyond the memory that is left.
    """
    _refuse_beyond_memory(run)
    return compiled(in_chunks(MODES[gradient](run), max(1, AT_ONCE // _row_bytes(run))))


def simulation(spec: CircuitSpec, measurement: Measurement) -> PauliSimulation:
    """Prepare a circuit with its noise, for an encoding that stands in front of everything else."""
    key = (spec.key, measurement)
    if key not in _simulations:
        circuit = measurement.executed_circuit(spec) + basis_change(spec.observables)
        gates = gatewise(circuit + measurement.readout_circuit(spec), spec.inputs + spec.weights)
        support = support_mask(spec.observables, spec.qubits)
        run = prepared(gates, transfers(gates, spec.qubits), support, len(spec.inputs), measurement.shots)
        assert run is not None  # simulators.why_not_pauli has asked for the encoding
        _simulations[key] = run
    return _simulations[key]


def prepared(
    gates: GatewiseCircuit, steps: Iterable[Transfer], support: np.ndarray, inputs: int, shots: int | None
) -> PauliSimulation | None:
    """Return a circuit ready to run; None where a row's angle enters behind a weight or another qubit.

    Args:
        gates: How each gate's angle depends on the symbols, inputs first.
        steps: What the gates and channels do, in order, readout errors included.
        support: 1 where a wire belongs to an observable, shape (wires, observables).
        inputs: Number of input symbols.
        shots: Measurements of each expectation; None is exact.
    """
    by_row = set(np.flatnonzero(np.any(gates.matrix[:inputs], axis=0)).tolist())
    program = pauli_program(steps, len(support), by_row)
    return None if program is None else PauliSimulation(gates, program, support, inputs, shots)


def differentiated(run: PauliSimulation) -> Expectations:
    """Return expectations whose gradient is that of the exact ones."""

    def expectations(inputs, weights, seed, first_row):
        angles = run.angles(inputs, weights)
        true = run.exact(*angles)
        return true if run.shots is None else true + tf.stop_gradient(run.estimate(*angles, seed, first_row) - true)

    return expectations


def shifted(run: PauliSimulation, exact: bool = True) -> Expectations:
    """Return expectations differentiated by parameter shifts, each term from fresh shots.

    Args:
        run: The circuit.
        exact: Take four terms for controlled gates, see `gradient_rules.shift_terms`.
    """
    gates, shifts, coefficients = shift_terms(run.gates, exact)
    to_rows = np.stack([np.zeros(len(run.gates.names)) if f.angle is None else np.eye(len(run.gates.names))[f.angle]
                        for f in run.program.fronts]).astype(np.float32)  # (width, gates)  # fmt: skip

    @tf.custom_gradient
    def of_angles(rows, shared, seed, first_row):
        def backward(upstream):
            def term(entry):
                number, gate, shift, coefficient = entry
                turn = shift * tf.one_hot(gate, len(run.gates.names))
                own_seed = tf.random.experimental.stateless_fold_in(seed, number)
                turned = run.estimate(rows + tf.linalg.matvec(to_rows, turn), shared + turn, own_seed, first_row)
                return coefficient * tf.reduce_sum(turned * upstream, axis=1)  # (n,)

            entries = (tf.range(len(gates)), tf.constant(gates), tf.constant(shifts), tf.constant(coefficients))
            parts = tf.map_fn(term, entries, fn_output_signature=tf.float32)  # (terms, n)
            by_gate = tf.math.unsorted_segment_sum(parts, tf.constant(gates), len(run.gates.names))  # (gates, n)
            return (
                tf.matmul(by_gate, to_rows, transpose_a=True, transpose_b=True),
                tf.reduce_sum(by_gate, 1),
                None,
                None,
            )

        return run.estimate(rows, shared, seed, first_row), backward

    return lambda inputs, weights, seed, first_row: of_angles(*run.angles(inputs, weights), seed, first_row)


MODES: dict[str, Callable[[PauliSimulation], Expectations]] = {
    "adjoint": differentiated,
    "parameter_shift": shifted,
    "two_term": lambda run: shifted(run, exact=False),
}


def _row_bytes(run: PauliSimulation) -> int:
    """Return about how much memory a row takes where it meets the observables, with its gradient."""
    width, count = run.program.width, run.support_mask.shape[1]
    exact = 12 * count * 3 ** (width // 2)
    return exact if run.shots is None else exact + 4 * 3**width + 16 * 2**width + 64 * run.shots


def bytes_needed(run: PauliSimulation) -> int:
    """Return about how much memory the coefficients of the observables take, with their gradient."""
    sizes, count = run.program.sizes, run.support_mask.shape[1]
    exact = 3 * 4 * count * sum(sizes)  # each block's are kept for the gradient, which has as many; and copies of them
    outcomes = 3 * 4 * max(sizes) * min(OUTCOMES_AT_ONCE, 2**run.program.width)
    return exact + (outcomes if run.shots is not None else 0)


def _refuse_beyond_memory(run: PauliSimulation) -> None:
    """Refuse circuits whose coefficients do not fit into the memory that is left.

    Raises:
        UserError: It gives the estimate.
    """
    needed, left = bytes_needed(run), available()
    if needed > left:
        tfq = "" if why_absent() else ", or `simulator` tfq, which needs `shots` and a `gradient` other than adjoint"
        raise UserError(
            f"`width` {run.program.width} needs about {needed / 1e9:.4g} GB of memory for the coefficients of "
            f"{run.support_mask.shape[1]} observables under noise; this machine has {left / 1e9:.4g} GB left; take "
            f"fewer qubits or layers{tfq}."
        )
