"""Overlaps of a circuit's final states: exact, of all qubits or of some of them, and differentiable.

States travel as real rows, so that layers, replicas and losses pass them on as they do any embedding. The overlap of
two pure states is their fidelity |<a|b>|^2, the entry of a quantum kernel; that of the reduced states of some qubits,
which are mixed, is Tr(rho_a rho_b), the figure that a SWAP test measures. All angles are in radians.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.quantum.batched_states import RE_IM, BatchedStates, wires_to_front
from qssl_tf.quantum.observables import observables
from qssl_tf.quantum.simulation import Simulation, simulation
from qssl_tf.quantum.spec import CircuitSpec
from qssl_tf.xla import compiled

StateRows = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
_compiled: dict[tuple, StateRows] = {}


def check_kept(kept: Sequence[int], width: int) -> tuple[int, ...]:
    """Return the compared qubits in order; none given are all.

    Raises:
        UserError: A qubit that is not there, or one named twice.
    """
    if len(set(kept)) != len(kept) or not all(0 <= qubit < width for qubit in kept):
        raise UserError(
            f"`overlap_qubits` must be different qubits from 0 to {width - 1} at `width` {width}; got {list(kept)}."
        )
    return tuple(sorted(kept)) or tuple(range(width))


def state_rows(spec: CircuitSpec, kept: Sequence[int] = ()) -> StateRows:
    """Return (angles of the encoding (n, input symbols), weights (weights,)) -> states as real rows, (n, size).

    Args:
        spec: The circuit, without measurements between layers.
        kept: Qubits whose states are compared; none given are all.

    Returns:
        For all qubits a row holds the amplitudes, real parts first, size 2 * 2^width; for k of them their density
        matrix, size 2 * 4^k. `pure_overlaps` and `mixed_overlaps` compare such rows.

    Raises:
        UserError: As `check_kept`; or the circuit measures between layers.
    """
    kept, run = check_kept(kept, len(spec.qubits)), state_simulation(spec)
    is_pure = len(kept) == len(spec.qubits)

    def rows(angles: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        states = run.states(*run.angles(angles, weights))
        columns = amplitudes(states) if is_pure else density_matrices(states, kept)
        return tf.broadcast_to(tf.transpose(columns), (tf.shape(angles)[0], columns.shape[0]))

    return rows


def compiled_state_rows(spec: CircuitSpec, kept: Sequence[int] = ()) -> StateRows:
    """Return what `state_rows` does, compiled by XLA, one function for all equal circuits.

    Raises:
        UserError: As `state_rows`.
    """
    key = (*spec.key[:-1], check_kept(kept, len(spec.qubits)))
    if key not in _compiled:
        _compiled[key] = compiled(state_rows(spec, kept))
    return _compiled[key]


def row_size(kept: int, width: int) -> int:
    """Return the length of a state's row, for `kept` of `width` qubits."""
    return 2 * 2**width if kept == width else 2 * 4**kept


def state_simulation(spec: CircuitSpec, weights_by_row: bool = False) -> Simulation:
    """Return a circuit compiled without a basis change, so that it ends in its state.

    Args:
        spec: The circuit.
        weights_by_row: Whether each row has weights of its own.

    Raises:
        UserError: The circuit measures between layers, so that its states are mixed.
    """
    if spec.has_mid_circuit_measurement:
        raise UserError(
            "`partial_measurement` must be false for overlaps of states, as it leaves mixed states; got true."
        )
    in_z = replace(spec, observables=observables("z", spec.qubits))
    return simulation(in_z, in_z.circuit, None, weights_by_row)


def amplitudes(states: BatchedStates) -> tf.Tensor:
    """Return the amplitudes in the order of the qubits, real parts before imaginary ones, shape (2 * 2^width, n)."""
    wires = tuple(sorted(wire for wire in states.order if wire != RE_IM))
    if RE_IM in states.order:
        return wires_to_front(states, (RE_IM, *wires)).values[:, 0]
    real = wires_to_front(states, wires).values[:, 0]
    return tf.concat([real, tf.zeros_like(real)], axis=0)


def density_matrices(states: BatchedStates, kept: Sequence[int]) -> tf.Tensor:
    """Return the reduced density matrices of the kept qubits, shape (2 * 4^k, n): row by row, real parts first."""
    wires = tuple(sorted(wire for wire in states.order if wire != RE_IM))
    parts = amplitudes(states)
    order, values = wires_to_front(BatchedStates((RE_IM, *wires), parts[:, tf.newaxis]), (RE_IM, *kept))
    size = 2 ** len(kept)
    split = tf.reshape(values[:, 0], (2, size, 2 ** (len(order) - 1) // size, -1))  # (2, kept, others, n)
    real, imaginary = tf.unstack(tf.transpose(split, (0, 3, 1, 2)))  # (n, kept, others) each

    def product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        return tf.matmul(left, right, transpose_b=True)

    matrices = tf.stack(
        [product(real, real) + product(imaginary, imaginary), product(imaginary, real) - product(real, imaginary)], 1
    )  # (n, 2, kept, kept)
    return tf.transpose(tf.reshape(matrices, (-1, 2 * size * size)))


def pure_overlaps(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return |<a_i|b_j>|^2 for rows of amplitudes, shape (n, m), by one matrix product.

    Args:
        a: Shape (n, 2 * dimension), as from `state_rows`.
        b: Shape (m, 2 * dimension).
    """
    real, imaginary = tf.split(b, 2, axis=1)
    turned = tf.concat([imaginary, -real], axis=1)  # a . turned is the imaginary part of <a|b>
    parts = tf.matmul(a, tf.concat([b, turned], axis=0), transpose_b=True)  # (n, 2m)
    in_phase, out_of_phase = tf.split(parts, 2, axis=1)
    return in_phase**2 + out_of_phase**2


def mixed_overlaps(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return Tr(rho_i sigma_j) for rows of density matrices, shape (n, m).

    Both matrices are Hermitian, so the trace is the real inner product of their entries. It is the purity for equal
    states, so it reaches 1 for pure ones alone.

    Args:
        a: Shape (n, 2 * dimension^2), as from `state_rows`.
        b: Shape (m, 2 * dimension^2).
    """
    return tf.matmul(a, b, transpose_b=True)


def angle_overlap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return prod_i cos^2((x_i - y_i) / 2), the overlap of two states behind one angle encoding, shape (n,).

    RX and RY by x_i on each qubit give it, whatever circuit without data stands behind them: it cancels.

    Args:
        x: Angles in radians, shape (n, width).
        y: Likewise.
    """
    return np.prod(np.cos((x - y) / 2) ** 2, axis=1)


def bytes_of_overlaps(run: Simulation, rows: int, kept: int) -> int:
    """Return the estimated memory of all overlaps among `rows` states with their gradient, in bytes.

    Args:
        run: From `state_simulation`.
        rows: Number of states.
        kept: Number of compared qubits.
    """
    width = run.program.width
    size = row_size(kept, width)
    matrices = 8 * 4 * rows * rows  # both parts of the products, overlaps, logits, and the gradient of each
    return math.ceil(rows * (run.bytes_per_row + 4 * 4 * size) + matrices)
