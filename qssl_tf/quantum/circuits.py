"""CircuitSpec: one circuit in pure Cirq, and the tables of ansätze and encodings that make it.

Qubit i is `cirq.GridQubit(0, i)`; Cirq counts it as the i-th most significant bit of a state (big-endian).
All angles are in radians. The circuits are those of arXiv:2103.14653, Section 3.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cirq
import sympy

from qssl_tf.errors import UserError, unknown_name

Qubits = Sequence[cirq.Qid]
Weights = Iterator[sympy.Symbol]
Operations = Iterator[cirq.Operation]


@dataclass(frozen=True)
class Ansatz:
    """A trainable circuit.

    Attributes:
        weight_shape: (width, layers) -> shape of the weights, in the order in which `layer` takes them.
        layer: Yields the gates of one layer, taking its weights from the iterator.
        front: Yields gates that stand once before the first layer.
        min_width: Fewest qubits on which the circuit is defined.
    """

    weight_shape: Callable[[int, int], tuple[int, ...]]
    layer: Callable[[Qubits, Weights], Operations]
    front: Callable[[Qubits, Weights], Operations] = lambda qubits, weights: iter(())
    min_width: int = 2


def _ry_all(qubits: Qubits, weights: Weights) -> Operations:
    for qubit in qubits:
        yield cirq.ry(next(weights))(qubit)


def _ring(qubits: Qubits, weights: Weights) -> Operations:
    """Yield RY on every qubit, then CRX from each qubit to the next around the ring."""
    yield from _ry_all(qubits, weights)
    for i, control in enumerate(qubits):
        yield cirq.rx(next(weights))(qubits[(i + 1) % len(qubits)]).controlled_by(control)


def _all_to_all(qubits: Qubits, weights: Weights) -> Operations:
    """Yield CX(i, j) for all i < j in lexicographic order, then RY on every qubit."""
    for i, control in enumerate(qubits):
        for target in qubits[i + 1 :]:
            yield cirq.CX(control, target)
    yield from _ry_all(qubits, weights)


ANSATZE: dict[str, Ansatz] = {
    "ring": Ansatz(weight_shape=lambda width, layers: (layers, 2, width), layer=_ring),
    "all_to_all": Ansatz(
        weight_shape=lambda width, layers: (layers + 1, width), layer=_all_to_all, front=_ry_all, min_width=1
    ),
}


def _angle(qubits: Qubits, inputs: Sequence[sympy.Symbol]) -> Operations:
    """Yield RX(x_i) on qubit i."""
    for qubit, angle in zip(qubits, inputs, strict=True):
        yield cirq.rx(angle)(qubit)


ENCODINGS: dict[str, Callable[[Qubits, Sequence[sympy.Symbol]], Operations]] = {"angle": _angle}


@dataclass(frozen=True)
class CircuitSpec:
    """A circuit with its order of symbols, qubits and observables: what every simulator and device bridge reads.

    Attributes:
        ansatz_name: Key of ANSATZE.
        qubits: In order; feature i belongs to qubit i.
        encoding: Circuit of the input symbols.
        ansatz: Circuit of the weight symbols.
        inputs: Input symbols in the order of the input features; angles in radians.
        weights: Weight symbols in the order of the weight vector; angles in radians.
        observables: What is measured, in the order of the output features; each in [-1, 1].
    """

    ansatz_name: str
    qubits: tuple[cirq.Qid, ...]
    encoding: cirq.Circuit
    ansatz: cirq.Circuit
    inputs: tuple[sympy.Symbol, ...]
    weights: tuple[sympy.Symbol, ...]
    observables: tuple[cirq.PauliString, ...]

    @property
    def circuit(self) -> cirq.Circuit:
        """Encoding, then ansatz."""
        return self.encoding + self.ansatz


def symbols(prefix: str, count: int) -> tuple[sympy.Symbol, ...]:
    """Return `count` symbols whose names sort as text in their numeric order (TFQ sorts names as text)."""
    return tuple(sympy.Symbol(f"{prefix}_{index:03d}") for index in range(count))


def circuit_spec(width: int, ansatz: str = "ring", layers: int = 2) -> CircuitSpec:
    """Build the circuit of a quantum head.

    Args:
        width: Number of qubits, and of input angles.
        ansatz: Key of ANSATZE.
        layers: Number of times the ansatz's block is repeated.

    Returns:
        The circuit with one RX(x_i) on each qubit in front, measured in Z on every qubit.

    Raises:
        UserError: An unknown ansatz, or one that is not defined on so few qubits.
    """
    if ansatz not in ANSATZE:
        raise unknown_name("ansatz", ansatz, ANSATZE)
    chosen = ANSATZE[ansatz]
    if width < chosen.min_width:
        raise UserError(f"`width` must be at least {chosen.min_width} for the ansatz '{ansatz}'; got {width}.")
    qubits = tuple(cirq.GridQubit.rect(1, width))
    inputs = symbols("x", width)
    weights = symbols("theta", math.prod(chosen.weight_shape(width, layers)))
    remaining = iter(weights)
    gates = [list(chosen.front(qubits, remaining))]
    gates += [list(chosen.layer(qubits, remaining)) for _ in range(layers)]
    return CircuitSpec(
        ansatz_name=ansatz,
        qubits=qubits,
        encoding=cirq.Circuit(ENCODINGS["angle"](qubits, inputs)),
        ansatz=cirq.Circuit(gates),
        inputs=inputs,
        weights=weights,
        observables=tuple(cirq.PauliString({qubit: cirq.Z}) for qubit in qubits),
    )
