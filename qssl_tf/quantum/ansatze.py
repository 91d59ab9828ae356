"""ANSATZE: the trainable circuits of the literature the paper draws on, as generators of gates.

The numbered circuits are those of arXiv:1905.10876, Fig. 2; `*_half` is the first half of one. Angles are in radians.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cirq
import sympy

Qubits = Sequence[cirq.Qid]
Weights = Iterator[sympy.Symbol]
Operations = Iterator[cirq.Operation]


def _no_gates(qubits: Qubits, weights: Weights) -> Operations:
    return iter(())


@dataclass(frozen=True)
class Ansatz:
    """A trainable circuit.

    Attributes:
        weight_shape: (width, layers) -> shape of the weights, in the order in which the gates take them.
        layer: (qubits, weights, layer number from 0) -> the gates of one layer, taking weights from the iterator.
        front: Gates applied once before the first layer.
        min_width: Fewest qubits on which the circuit is defined.
        source: Publication.
    """

    weight_shape: Callable[[int, int], tuple[int, ...]]
    layer: Callable[[Qubits, Weights, int], Operations]
    front: Callable[[Qubits, Weights], Operations] = _no_gates
    min_width: int = 2
    source: str = "arXiv:1905.10876, Fig. 2"


def rotations(gate: Callable, qubits: Qubits, weights: Weights) -> Operations:
    """Yield a rotation with its own weight on every qubit."""
    for qubit in qubits:
        yield gate(next(weights))(qubit)


def controlled(gate: Callable, control: cirq.Qid, target: cirq.Qid, weights: Weights) -> cirq.Operation:
    """Return a rotation of `target` with the next weight, controlled by `control`."""
    return gate(next(weights))(target).controlled_by(control)


def rxx(angle: sympy.Expr, first: cirq.Qid, second: cirq.Qid) -> cirq.Operation:
    """Return exp(-i angle/2 X X)."""
    return cirq.XXPowGate(exponent=angle / sympy.pi, global_shift=-0.5)(first, second)


def rzz(angle: sympy.Expr, first: cirq.Qid, second: cirq.Qid) -> cirq.Operation:
    """Return exp(-i angle/2 Z Z)."""
    return cirq.ZZPowGate(exponent=angle / sympy.pi, global_shift=-0.5)(first, second)


def rzx(angle: sympy.Expr, z: cirq.Qid, x: cirq.Qid) -> Operations:
    """Yield exp(-i angle/2 Z X), Z on the first qubit, as a ZZ rotation between Hadamards."""
    yield cirq.H(x)
    yield rzz(angle, z, x)
    yield cirq.H(x)


def _ring_layer(gate: Callable) -> Callable[[Qubits, Weights, int], Operations]:
    """Return a layer of RY on every qubit, then `gate` on each qubit's successor around the ring, controlled by it."""

    def layer(qubits: Qubits, weights: Weights, number: int) -> Operations:
        yield from rotations(cirq.ry, qubits, weights)
        for i, control in enumerate(qubits):
            yield controlled(gate, control, qubits[(i + 1) % len(qubits)], weights)

    return layer


def _double_ring_layer(link: Callable[[cirq.Qid, cirq.Qid, Weights], cirq.Operation]):
    """Return a layer of circuits 13-15: RY, links to the next qubit in reverse order, RY, links three qubits ahead."""

    def layer(qubits: Qubits, weights: Weights, number: int) -> Operations:
        n = len(qubits)
        yield from rotations(cirq.ry, qubits, weights)
        for i in reversed(range(n)):
            yield link(qubits[i], qubits[(i + 1) % n], weights)
        yield from rotations(cirq.ry, qubits, weights)
        for control in ((i - 1) % n for i in range(n)):
            yield link(qubits[control], qubits[(control + 3) % n], weights)

    return layer


def _controlled_link(gate: Callable):
    return lambda control, target, weights: controlled(gate, control, target, weights)


def _cx_link(control: cirq.Qid, target: cirq.Qid, weights: Weights) -> cirq.Operation:
    return cirq.CX(control, target)


def _sim19(qubits: Qubits, weights: Weights, number: int) -> Operations:
    yield from rotations(cirq.rx, qubits, weights)
    yield from rotations(cirq.rz, qubits, weights)
    n = len(qubits)
    yield controlled(cirq.rx, qubits[n - 1], qubits[0], weights)
    for i in reversed(range(1, n)):
        yield controlled(cirq.rx, qubits[i - 1], qubits[i], weights)


def _all_to_all(qubits: Qubits, weights: Weights, number: int) -> Operations:
    for i, control in enumerate(qubits):
        for target in qubits[i + 1 :]:
            yield cirq.CX(control, target)
    yield from rotations(cirq.ry, qubits, weights)


def _farhi(qubits: Qubits, weights: Weights, number: int) -> Operations:
    *others, last = qubits
    for other in others:
        yield rxx(next(weights), last, other)
    for other in others:
        yield from rzx(next(weights), last, other)


def _tdcnot(qubits: Qubits, weights: Weights, number: int) -> Operations:
    n = len(qubits)
    for first in [*range(0, n - 1, 2), *range(1, n, 2)]:
        pair = (qubits[first], qubits[(first + 1) % n])
        yield from rotations(cirq.ry, pair, weights)
        yield cirq.CX(*pair)
        yield from rotations(cirq.rz, pair, weights)


def _rotations_only(qubits: Qubits, weights: Weights, number: int) -> Operations:
    return rotations(cirq.ry, qubits, weights)


def _strongly_entangling(qubits: Qubits, weights: Weights, number: int) -> Operations:
    n = len(qubits)
    for qubit in qubits:
        for gate in (cirq.rz, cirq.ry, cirq.rz):
            yield gate(next(weights))(qubit)
    reach = number % (n - 1) + 1
    for i in range(n):
        yield cirq.CX(qubits[i], qubits[(i + reach) % n])


def _front_ry(qubits: Qubits, weights: Weights) -> Operations:
    return rotations(cirq.ry, qubits, weights)


def _blocks(count: int) -> Callable[[int, int], tuple[int, ...]]:
    return lambda width, layers: (layers, count, width)


RING = Ansatz(_blocks(2), _ring_layer(cirq.rx), source="arXiv:2103.14653, Fig. 3")

ANSATZE: dict[str, Ansatz] = {
    "ring": RING,
    "all_to_all": Ansatz(
        lambda width, layers: (layers + 1, width),
        _all_to_all,
        _front_ry,
        min_width=1,
        source="arXiv:2011.00027, Fig. 5",
    ),
    "sim13_half": Ansatz(_blocks(2), _ring_layer(cirq.rz)),
    "sim14_half": RING,
    "sim13": Ansatz(_blocks(4), _double_ring_layer(_controlled_link(cirq.rz)), min_width=4),
    "sim14": Ansatz(_blocks(4), _double_ring_layer(_controlled_link(cirq.rx)), min_width=4),
    "sim15": Ansatz(_blocks(2), _double_ring_layer(_cx_link), min_width=4),
    "sim19": Ansatz(_blocks(3), _sim19),
    "farhi": Ansatz(lambda width, layers: (layers, 2, width - 1), _farhi, source="arXiv:1802.06002"),
    "tdcnot": Ansatz(lambda width, layers: (layers, 2 * (width // 2), 4), _tdcnot, source="arXiv:2002.04612"),
    "none": Ansatz(
        lambda width, layers: (layers, width), _rotations_only, min_width=1, source="a control without entanglers"
    ),
    "strongly_entangling": Ansatz(
        lambda width, layers: (layers, width, 3), _strongly_entangling, source="arXiv:1804.00633"
    ),
}
