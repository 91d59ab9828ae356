"""ENCODINGS: circuits that load the encoder's outputs, and the map from those outputs to rotation angles.

Each symbol of an encoding is one rotation angle, since TFQ and the shift rules support nothing else. Anything that must
be computed first (products, norms) is done by the function `angles`, which works on NumPy arrays and, with `keras.ops`,
on tensors, so that gradients reach the encoder.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cirq
import numpy as np
import sympy

from qssl_tf.quantum.ansatze import rzz

SMALLEST = 1e-30  # smaller rows are treated as zero, since the gradient grows with the inverse of the row's size
OFF_ZERO = 1e-12  # keeps square roots differentiable at 0, as if each half held 1e-6 of the largest number

Qubits = Sequence[cirq.Qid]
Symbols = Sequence[sympy.Symbol]
Operations = Iterator[cirq.Operation]


def _identity(inputs: Any, ops: Any, width: int) -> Any:
    return inputs


@dataclass(frozen=True)
class Encoding:
    """A circuit that depends on data.

    Attributes:
        gates: (qubits, symbols) -> the gates.
        input_size: width -> how many numbers each row of inputs holds, each in [0, pi].
        angle_count: width -> how many angles the circuit has.
        angles: (inputs (n, input_size), array functions, width) -> angles in radians, shape (n, symbols).
        repeated: Whether the circuit is repeated before each layer (data re-uploading) instead of applied once.
        amplitudes: (angles of shape (n, symbols), array functions, width) -> the real state that the circuit prepares
            from |0...0>, shape (2^width, n), where that is much cheaper than running its gates; else None.
        recipe: How `angles` computes the angles x from the inputs, called f there, for readers of an exported circuit;
            n is the width.
        source: Where it was published.
    """

    gates: Callable[[Qubits, Symbols], Operations]
    input_size: Callable[[int], int] = lambda width: width
    angle_count: Callable[[int], int] = lambda width: width
    angles: Callable[[Any, Any, int], Any] = _identity
    repeated: bool = False
    amplitudes: Callable[[Any, Any, int], Any] | None = None
    recipe: str = "x[i] = f[i]"
    source: str = "arXiv:2103.14653, Section 3"


def _rotate(gate: Callable) -> Callable[[Qubits, Symbols], Operations]:
    """Return the circuit with one rotation by x_i on qubit i."""

    def gates(qubits: Qubits, symbols: Symbols) -> Operations:
        for qubit, symbol in zip(qubits, symbols, strict=True):
            yield gate(symbol)(qubit)

    return gates


def _pairs(width: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(width) for j in range(i + 1, width)]


def _zz_gates(qubits: Qubits, symbols: Symbols) -> Operations:
    """Yield H and RZ(x_i) on every qubit, then RZZ by the pair's angle on every pair i < j."""
    remaining = iter(symbols)
    for qubit in qubits:
        yield cirq.H(qubit)
        yield cirq.rz(next(remaining))(qubit)
    for i, j in _pairs(len(qubits)):
        yield rzz(next(remaining), qubits[i], qubits[j])


def _zz_angles(inputs: Any, ops: Any, width: int) -> Any:
    """Return x_i, then (x_i - pi/2)(x_j - pi/2) for i < j."""
    choose = np.eye(width, dtype=np.float32)
    pairs = np.array(_pairs(width), int).reshape(-1, 2)
    centred = inputs - math.pi / 2
    left, right = ops.matmul(centred, choose[:, pairs[:, 0]]), ops.matmul(centred, choose[:, pairs[:, 1]])
    return ops.concatenate([inputs, left * right], axis=1)


def _amplitude_gates(qubits: Qubits, symbols: Symbols) -> Operations:
    """Yield the preparation of a real state: on each qubit an RY controlled by all before it (quant-ph/0407010)."""
    remaining = iter(symbols)
    for level, target in enumerate(qubits):
        for step in range(2**level):
            yield cirq.ry(next(remaining))(target)
            if level:
                # The bit in which the Gray code changes next is the control; the last CX closes the cycle.
                changed = min(_trailing_zeros(step + 1), level - 1)
                yield cirq.CX(qubits[level - 1 - changed], target)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _amplitude_angles(inputs: Any, ops: Any, width: int) -> Any:
    """Return the rotations that prepare the amplitudes inputs / norm, qubit 0 the most significant bit.

    Each row is first divided by its largest number, so its scale does not matter; a row of zeros, which has no
    direction, becomes the uniform superposition.
    """
    largest = ops.max(ops.abs(inputs), axis=1, keepdims=True)
    scaled = inputs / ops.maximum(largest, SMALLEST)
    squares, angles = scaled * scaled, []
    for level in range(width):
        branches = 2**level
        halves = np.repeat(np.eye(2 * branches, dtype=np.float32), 2 ** (width - level - 1), axis=0)
        norms = ops.sqrt(ops.matmul(squares, halves) + OFF_ZERO)  # (n, 2 * branches)
        pick = np.eye(2 * branches, dtype=np.float32)
        theta = 2 * ops.arctan2(ops.matmul(norms, pick[:, 1::2]), ops.matmul(norms, pick[:, 0::2]))
        angles.append(ops.matmul(theta, _gray_signs(level) / branches))
    return ops.concatenate(angles, axis=1)


def _gray_signs(level: int) -> np.ndarray:
    """Return the sign with which each rotation of a level acts on each branch, shape (branches, rotations)."""
    branches = np.arange(2**level)
    gray = branches ^ (branches >> 1)
    parity = [[bin(b & g).count("1") % 2 for g in gray] for b in branches]
    return (1 - 2 * np.array(parity)).astype(np.float32)


def _amplitude_state(angles: Any, ops: Any, width: int) -> Any:
    """Return the state as the product of cosines and sines along each branch, shape (2^width, n)."""
    state = ops.ones_like(angles[:, :1])  # (n, 1)
    for level in range(width):
        first = 2**level - 1
        half = ops.matmul(angles[:, first : first + 2**level], _gray_signs(level).T) / 2  # (n, branches)
        halves = ops.stack([state * ops.cos(half), state * ops.sin(half)], axis=2)  # (n, branches, 2)
        state = ops.reshape(halves, (-1, 2 ** (level + 1)))
    return ops.transpose(state)


ENCODINGS: dict[str, Encoding] = {
    "angle": Encoding(_rotate(cirq.rx)),
    "angle_y": Encoding(_rotate(cirq.ry)),
    "zz": Encoding(
        _zz_gates,
        angle_count=lambda width: width + width * (width - 1) // 2,
        angles=_zz_angles,
        recipe="x[i] = f[i] for i < n; behind them (f[i] - pi/2) * (f[j] - pi/2) for each pair i < j, in the order 01, "
        "02, ..., 12, ...",
        source="arXiv:1804.11326, Eq. 5, with the paper's angles",
    ),
    "reuploading": Encoding(_rotate(cirq.rx), repeated=True, source="arXiv:1907.02085"),
    "amplitude": Encoding(
        _amplitude_gates,
        input_size=lambda width: 2**width,
        angle_count=lambda width: 2**width - 1,
        angles=_amplitude_angles,
        amplitudes=_amplitude_state,
        recipe="The 2^n features over their norm become the amplitudes, qubit 0 being the first bit of an amplitude's "
        "number. For each level l = 0, ..., n - 1 and branch b < 2^l let t[b] = 2 * atan2(R, L), where L and R are the "
        "norms of the left and the right half of the features from b * 2^(n-l) to (b+1) * 2^(n-l) - 1. Then for "
        "r < 2^l x[2^l - 1 + r] = sum over b of (-1)^c * t[b] / 2^l with c the number of 1s in b AND (r XOR (r >> 1)).",
        source="quant-ph/0407010",
    ),
}
