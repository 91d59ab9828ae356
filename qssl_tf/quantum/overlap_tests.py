"""OVERLAP_TESTS: how a device measures the overlap of two states, and what their shots say.

Each test accepts a shot with a probability that is linear in the overlap, so exact statistics need no circuit of both
states: the number of accepted shots is binomial. The circuits are built here for drawings, devices and checks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cirq
import numpy as np
import sympy
import tensorflow as tf

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.overlaps import check_kept
from qssl_tf.quantum.spec import CircuitSpec

OTHER = "other_"  # put before the names of the second state's inputs


@dataclass(frozen=True)
class OverlapTest:
    """One way to measure an overlap.

    Attributes:
        gates: (spec, first state's circuit, second state's circuit, kept qubits) -> the whole circuit, and the qubits
            to be measured.
        accepts: Outcomes (shots, measured qubits) -> whether each shot is accepted, shape (shots,).
        probability: Overlap -> probability that a shot is accepted.
        overlap: Fraction of accepted shots -> unbiased estimate of the overlap.
        mixed: Whether it can compare reduced states, of some of the qubits.
        source: Where it was published.
    """

    gates: Callable[..., tuple[cirq.Circuit, list[cirq.Qid]]]
    accepts: Callable[[np.ndarray], np.ndarray]
    probability: Callable[[Any], Any]
    overlap: Callable[[Any], Any]
    mixed: bool
    source: str


def _copy_of(qubit: cirq.Qid) -> cirq.GridQubit:
    assert isinstance(qubit, cirq.GridQubit)
    return cirq.GridQubit(qubit.row + 1, qubit.col)


def _inversion(spec: CircuitSpec, first: cirq.Circuit, second: cirq.Circuit, kept: Sequence[cirq.Qid]):
    """Return the second state's circuit and the inverse of the first's behind it (compute-uncompute); width qubits."""
    return second + cirq.inverse(first), list(spec.qubits)


def _swap(spec: CircuitSpec, first: cirq.Circuit, second: cirq.Circuit, kept: Sequence[cirq.Qid]):
    """Return both states side by side, and SWAPs of the kept qubits controlled by an ancilla; 2 width + 1 qubits."""
    ancilla = cirq.GridQubit(2, 0)
    swaps = [cirq.CSWAP(ancilla, qubit, _copy_of(qubit)) for qubit in kept]
    both = first + second.transform_qubits(_copy_of)
    return both + cirq.Circuit(cirq.H(ancilla), swaps, cirq.H(ancilla)), [ancilla]


def _destructive_swap(spec: CircuitSpec, first: cirq.Circuit, second: cirq.Circuit, kept: Sequence[cirq.Qid]):
    """Return both states side by side, and a Bell measurement of each kept qubit with its copy; 2 width qubits."""
    bells = [[cirq.CX(qubit, _copy_of(qubit)), cirq.H(qubit)] for qubit in kept]
    both = first + second.transform_qubits(_copy_of)
    return both + cirq.Circuit(bells), [*kept, *map(_copy_of, kept)]


def _even_singlets(outcomes: np.ndarray) -> np.ndarray:
    """Return whether the number of pairs found in the singlet state, outcome 11, is even."""
    first, second = np.split(outcomes, 2, axis=1)
    return np.sum(first & second, axis=1) % 2 == 0


OVERLAP_TESTS: dict[str, OverlapTest] = {
    "inversion": OverlapTest(
        _inversion,
        accepts=lambda outcomes: ~np.any(outcomes, axis=1),
        probability=lambda overlap: overlap,
        overlap=lambda fraction: fraction,
        mixed=False,
        source="arXiv:1804.11326",
    ),
    "swap": OverlapTest(
        _swap,
        accepts=lambda outcomes: ~np.any(outcomes, axis=1),
        probability=lambda overlap: (1 + overlap) / 2,
        overlap=lambda fraction: 2 * fraction - 1,
        mixed=True,
        source="quant-ph/0102001",
    ),
    "destructive_swap": OverlapTest(
        _destructive_swap,
        accepts=_even_singlets,
        probability=lambda overlap: (1 + overlap) / 2,
        overlap=lambda fraction: 2 * fraction - 1,
        mixed=True,
        source="arXiv:1303.6814",
    ),
}


def overlap_test(name: str, kept: int, width: int) -> OverlapTest:
    """Return the test called `name`.

    Args:
        name: Key of OVERLAP_TESTS.
        kept: Number of compared qubits.
        width: Of all.

    Raises:
        UserError: No such test, or one that compares all qubits or none.
    """
    if name not in OVERLAP_TESTS:
        raise unknown_name("overlap_test", name, OVERLAP_TESTS)
    test = OVERLAP_TESTS[name]
    if kept < width and not test.mixed:
        able = " or ".join(word for word, other in OVERLAP_TESTS.items() if other.mixed)
        raise UserError(
            f"`overlap_test` must be {able} where `overlap_qubits` leaves some out, whose states {name} cannot undo; "
            f"got '{name}' with {kept} of {width} qubits."
        )
    return test


def overlap_circuit(spec: CircuitSpec, name: str, kept: Sequence[int] = ()) -> tuple[cirq.Circuit, list[cirq.Qid]]:
    """Return the circuit of a test, and the qubits to measure in the order that its `accepts` takes.

    Weights are those of `spec`, shared by both states; the second state's inputs are named `other_x_...`.

    Args:
        spec: The circuit that prepares a state.
        name: Key of OVERLAP_TESTS.
        kept: Compared qubits; none given are all.

    Raises:
        UserError: As `overlap_test` and `overlaps.check_kept`.
    """
    compared = check_kept(kept, len(spec.qubits))
    test = overlap_test(name, len(compared), len(spec.qubits))
    renamed = {symbol: sympy.Symbol(f"{OTHER}{symbol}") for symbol in spec.inputs}
    second = cirq.resolve_parameters(spec.circuit, renamed, recursive=False)
    return test.gates(spec, spec.circuit, second, [spec.qubits[qubit] for qubit in compared])


def estimated_overlaps(overlaps: tf.Tensor, test: OverlapTest, shots: int, seed: tf.Tensor) -> tf.Tensor:
    """Return estimates from `shots` measurements of each overlap, of the same shape; they have no gradient.

    Estimates are unbiased: of the inversion test in [0, 1], with variance F (1 - F) / shots; of a SWAP test in
    [-1, 1], with variance (1 - F^2) / shots, for an overlap F.

    Args:
        overlaps: Exact, in [0, 1] up to rounding.
        test: From `overlap_test`.
        shots: Measurements of each.
        seed: Two integers.
    """
    probabilities = tf.clip_by_value(test.probability(tf.stop_gradient(overlaps)), 0.0, 1.0)
    accepted = tf.random.stateless_binomial(
        tf.shape(overlaps), seed, counts=tf.constant(shots, tf.float64), probs=tf.cast(probabilities, tf.float64),
        output_dtype=tf.float64,
    )  # fmt: skip
    return tf.cast(test.overlap(accepted / shots), overlaps.dtype)


def symmetric(values: tf.Tensor) -> tf.Tensor:
    """Return a square matrix whose lower triangle is replaced by the upper: each pair is measured once."""
    upper = tf.linalg.band_part(values, 0, -1)
    return upper + tf.transpose(upper) - tf.linalg.diag(tf.linalg.diag_part(values))
