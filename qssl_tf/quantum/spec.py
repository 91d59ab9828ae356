"""CircuitSpec: one circuit in pure Cirq with its orders of symbols, qubits and observables.

Qubit i is `cirq.GridQubit(0, i)`; Cirq counts it as the i-th most significant bit of a state (big-endian).
All angles are in radians.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

import cirq
import numpy as np
import sympy

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.encodings import ENCODINGS, Encoding
from qssl_tf.quantum.noise import DEPHASING, partial_measurement
from qssl_tf.quantum.observables import basis_change, observables

MAX_AMPLITUDE_WIDTH = 10  # amplitude encoding takes 2^width numbers from the encoder


@dataclass(frozen=True)
class CircuitSpec:
    """A circuit: what every simulator and device bridge reads.

    Attributes:
        ansatz_name: Key of ANSATZE.
        encoding_name: Key of ENCODINGS.
        qubits: In order.
        blocks: The circuit in pieces, in order: encoding, then the ansatz's layers (its front gates with the first);
            with data re-uploading an encoding stands before each layer, and a measurement between layers (dephasing)
            behind the first.
        inputs: Symbols of the encoding; their values come from the features by `Encoding.values`.
        weights: Weight symbols in the order of the weight vector.
        observables: What is measured, in the order of the output features; each in [-1, 1].
    """

    ansatz_name: str
    encoding_name: str
    qubits: tuple[cirq.Qid, ...]
    blocks: tuple[cirq.Circuit, ...]
    inputs: tuple[sympy.Symbol, ...]
    weights: tuple[sympy.Symbol, ...]
    observables: tuple[cirq.PauliString, ...]

    @property
    def key(self) -> tuple:
        """What two specs share exactly if they are the same circuit; hashable."""
        blocks = tuple(block.freeze() for block in self.blocks)
        return self.encoding_name, self.qubits, blocks, self.inputs, self.weights, self.observables

    def fingerprint(self) -> str:
        """Return the SHA-256 of the gates as matrices on their qubits, in order, with an angle for each symbol."""
        symbols, golden = (*self.inputs, *self.weights), (math.sqrt(5) - 1) / 2
        angles = {symbol: 2 * math.pi * (golden * place % 1) for place, symbol in enumerate(symbols, 1)}
        digest = hashlib.sha256()
        for operation in cirq.resolve_parameters(self.circuit, angles).all_operations():
            digest.update(str([self.qubits.index(qubit) for qubit in operation.qubits]).encode())
            for matrix in cirq.kraus(operation):
                digest.update((np.round(matrix, 5) + 0.0).tobytes())  # the same on each processor; no zero has a sign
        return digest.hexdigest()

    @property
    def encoding(self) -> Encoding:
        """What carries the features into the circuit."""
        return ENCODINGS[self.encoding_name]

    @property
    def circuit(self) -> cirq.Circuit:
        """All blocks, without the basis change before a measurement."""
        return sum(self.blocks, cirq.Circuit())

    @property
    def ansatz(self) -> cirq.Circuit:
        """The blocks that hold weights or stand between those that do, without any encoding."""
        encoding = set(self.inputs)
        return sum((b for b in self.blocks if not encoding & cirq.parameter_symbols(b)), cirq.Circuit())

    @property
    def measured(self) -> cirq.Circuit:
        """The circuit after which each observable is a product of Z."""
        return self.circuit + basis_change(self.observables)

    def bound(self, weights: Iterable[float]) -> cirq.Circuit:
        """Return the measured circuit with numbers for its weights, in radians; the inputs stay symbols."""
        values = dict(zip(map(str, self.weights), map(float, weights), strict=True))
        return cirq.resolve_parameters(self.measured, values)

    @property
    def is_measured_between(self) -> bool:
        """Whether a measurement stands between layers."""
        return any(operation.gate == DEPHASING for operation in self.circuit.all_operations())

    @property
    def features(self) -> int:
        """How many numbers of the encoder a row takes."""
        return self.encoding.features(len(self.qubits))


def symbols(prefix: str, count: int) -> tuple[sympy.Symbol, ...]:
    """Return `count` symbols whose names sort as text in their numeric order (TFQ sorts names as text)."""
    digits = max(3, len(str(count - 1)))
    return tuple(sympy.Symbol(f"{prefix}_{index:0{digits}d}") for index in range(count))


def circuit_spec(
    width: int,
    ansatz: str = "ring",
    layers: int = 2,
    encoding: str = "angle",
    measure: str = "z",
    measured_between: bool = False,
) -> CircuitSpec:
    """Build the circuit of a quantum head.

    Args:
        width: Number of qubits.
        ansatz: Key of ANSATZE.
        layers: Number of times the ansatz's block is repeated.
        encoding: Key of ENCODINGS.
        measure: What `observables.observables` reads: `z`, `z_zz` or products such as `Z0,X1X2`.
        measured_between: Measure every other qubit after the first layer, see `noise.partial_measurement`.

    Raises:
        UserError: An unknown name, or an ansatz, encoding, observable or measurement that this width or number of
            layers does not have.
    """
    if ansatz not in ANSATZE:
        raise unknown_name("ansatz", ansatz, ANSATZE)
    if encoding not in ENCODINGS:
        raise unknown_name("encoding", encoding, ENCODINGS)
    chosen, carrier = ANSATZE[ansatz], ENCODINGS[encoding]
    if width < chosen.min_width:
        raise UserError(f"`width` must be at least {chosen.min_width} for the ansatz '{ansatz}'; got {width}.")
    if encoding == "amplitude" and width > MAX_AMPLITUDE_WIDTH:
        raise UserError(
            f"`width` must be at most {MAX_AMPLITUDE_WIDTH} for the encoding 'amplitude', "
            f"which takes 2^width numbers; got {width}."
        )
    if measured_between and layers < 2:
        raise UserError(
            f"`layers` must be at least 2 with `partial_measurement`, which stands between two; got {layers}."
        )
    qubits = tuple(cirq.GridQubit.rect(1, width))
    inputs = symbols("x", carrier.symbols(width))
    weights = symbols("theta", math.prod(chosen.weight_shape(width, layers)))
    remaining = iter(weights)
    carried = cirq.Circuit(carrier.gates(qubits, inputs))
    blocks = []
    for number in range(layers):
        if number == 0 or carrier.repeated:
            blocks.append(carried)
        front = list(chosen.front(qubits, remaining)) if number == 0 else []
        blocks.append(cirq.Circuit(front, chosen.layer(qubits, remaining, number)))
        if number == 0 and measured_between:
            blocks.append(partial_measurement(qubits))
    return CircuitSpec(
        ansatz, encoding, qubits, tuple(blocks), inputs, weights, observables(measure, qubits)
    )  # fmt: skip


def describe(spec: CircuitSpec) -> str:
    """Return the drawn circuit and its counts as text."""
    circuit = spec.circuit
    two = sum(len(operation.qubits) > 1 for operation in circuit.all_operations())
    drawing = circuit.to_text_diagram(qubit_order=spec.qubits, precision=3)
    return (
        f"{drawing}\n\n{spec.ansatz_name} on {len(spec.qubits)} qubits, encoding {spec.encoding_name}: "
        f"{len(spec.weights)} weights, {spec.features} input features, {len(spec.observables)} observables, "
        f"{sum(1 for _ in circuit.all_operations())} gates, {two} on two qubits, depth {len(circuit)}\n"
        f"source of the ansatz: {ANSATZE[spec.ansatz_name].source}"
    )
