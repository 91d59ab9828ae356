"""CircuitSpec: one circuit in pure Cirq, with fixed orders of symbols, qubits and observables.

Qubit i is `cirq.GridQubit(0, i)`, the i-th most significant bit of a state's index (big-endian, as in Cirq).
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

MAX_AMPLITUDE_WIDTH = 10  # amplitude encoding needs 2^width outputs of the encoder


@dataclass(frozen=True)
class CircuitSpec:
    """A circuit as simulators and device bridges read it.

    Attributes:
        ansatz_name: Key of ANSATZE.
        encoding_name: Key of ENCODINGS.
        qubits: In order.
        blocks: The circuit in consecutive parts: the encoding, then the layers of the ansatz (the first with its front
            gates). With data re-uploading, the encoding precedes each layer; a measurement between layers (dephasing)
            follows the first.
        inputs: Symbols of the encoding; `Encoding.angles` gives their values.
        weights: Weight symbols in the order of the weight vector.
        observables: What is measured, in the order of the head's outputs; each in [-1, 1].
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
        """A hashable key, equal for two specs if and only if they are the same circuit."""
        blocks = tuple(block.freeze() for block in self.blocks)
        return self.encoding_name, self.qubits, blocks, self.inputs, self.weights, self.observables

    def fingerprint(self) -> str:
        """Return the SHA-256 of the gates' matrices and qubits, in order, at fixed values of the symbols."""
        symbols, golden = (*self.inputs, *self.weights), (math.sqrt(5) - 1) / 2
        angles = {symbol: 2 * math.pi * (golden * number % 1) for number, symbol in enumerate(symbols, 1)}
        digest = hashlib.sha256()
        for operation in cirq.resolve_parameters(self.circuit, angles).all_operations():
            digest.update(str([self.qubits.index(qubit) for qubit in operation.qubits]).encode())
            for matrix in cirq.kraus(operation):
                # Rounded to be equal on all processors; + 0.0 removes the sign of zeros.
                digest.update((np.round(matrix, 5) + 0.0).tobytes())
        return digest.hexdigest()

    @property
    def encoding(self) -> Encoding:
        """The encoding of the inputs."""
        return ENCODINGS[self.encoding_name]

    @property
    def circuit(self) -> cirq.Circuit:
        """All blocks, without the basis change before a measurement."""
        return sum(self.blocks, cirq.Circuit())

    @property
    def ansatz(self) -> cirq.Circuit:
        """All blocks except the encoding."""
        encoding = set(self.inputs)
        return sum((b for b in self.blocks if not encoding & cirq.parameter_symbols(b)), cirq.Circuit())

    @property
    def measurement_circuit(self) -> cirq.Circuit:
        """The circuit with the basis change after which each observable is a product of Z."""
        return self.circuit + basis_change(self.observables)

    def bind(self, weights: Iterable[float]) -> cirq.Circuit:
        """Return the measurement circuit with its weights bound to numbers, in radians; the inputs stay symbols."""
        values = dict(zip(map(str, self.weights), map(float, weights), strict=True))
        return cirq.resolve_parameters(self.measurement_circuit, values)

    @property
    def has_mid_circuit_measurement(self) -> bool:
        """Whether qubits are measured between layers."""
        return any(operation.gate == DEPHASING for operation in self.circuit.all_operations())

    @property
    def input_size(self) -> int:
        """How many numbers a row of inputs holds."""
        return self.encoding.input_size(len(self.qubits))


def symbols(prefix: str, count: int) -> tuple[sympy.Symbol, ...]:
    """Return `count` symbols whose names sort alphabetically in numeric order, since TFQ sorts symbols by name."""
    digits = max(3, len(str(count - 1)))
    return tuple(sympy.Symbol(f"{prefix}_{index:0{digits}d}") for index in range(count))


def circuit_spec(
    width: int,
    ansatz: str = "ring",
    layers: int = 2,
    encoding: str = "angle",
    measure: str = "z",
    mid_circuit_measurement: bool = False,
) -> CircuitSpec:
    """Build the circuit of a quantum head.

    Args:
        width: Number of qubits.
        ansatz: Key of ANSATZE.
        layers: Number of times the ansatz's block is repeated.
        encoding: Key of ENCODINGS.
        measure: Text for `observables.observables`: `z`, `z_zz` or products such as `Z0,X1X2`.
        mid_circuit_measurement: Measure every other qubit after the first layer, see `noise.partial_measurement`.

    Raises:
        UserError: An unknown name, or an ansatz, encoding, observable or measurement that is not defined for this width
            or number of layers.
    """
    if ansatz not in ANSATZE:
        raise unknown_name("ansatz", ansatz, ANSATZE)
    if encoding not in ENCODINGS:
        raise unknown_name("encoding", encoding, ENCODINGS)
    ansatz_rule, encoding_rule = ANSATZE[ansatz], ENCODINGS[encoding]
    if width < ansatz_rule.min_width:
        raise UserError(f"`width` must be at least {ansatz_rule.min_width} for the ansatz '{ansatz}'; got {width}.")
    if encoding == "amplitude" and width > MAX_AMPLITUDE_WIDTH:
        raise UserError(
            f"`width` must be at most {MAX_AMPLITUDE_WIDTH} for the encoding 'amplitude', "
            f"which takes 2^width numbers; got {width}."
        )
    if mid_circuit_measurement and layers < 2:
        raise UserError(
            f"`layers` must be at least 2 with `partial_measurement`, which stands between two; got {layers}."
        )
    qubits = tuple(cirq.GridQubit.rect(1, width))
    inputs = symbols("x", encoding_rule.angle_count(width))
    weights = symbols("theta", math.prod(ansatz_rule.weight_shape(width, layers)))
    remaining = iter(weights)
    encoding_block = cirq.Circuit(encoding_rule.gates(qubits, inputs))
    blocks = []
    for number in range(layers):
        if number == 0 or encoding_rule.repeated:
            blocks.append(encoding_block)
        front = list(ansatz_rule.front(qubits, remaining)) if number == 0 else []
        blocks.append(cirq.Circuit(front, ansatz_rule.layer(qubits, remaining, number)))
        if number == 0 and mid_circuit_measurement:
            blocks.append(partial_measurement(qubits))
    return CircuitSpec(
        ansatz, encoding, qubits, tuple(blocks), inputs, weights, observables(measure, qubits)
    )  # fmt: skip


def describe(spec: CircuitSpec) -> str:
    """Return the drawn circuit and its counts as text."""
    circuit = spec.circuit
    two_qubit_gates = sum(len(operation.qubits) > 1 for operation in circuit.all_operations())
    drawing = circuit.to_text_diagram(qubit_order=spec.qubits, precision=3)
    return (
        f"{drawing}\n\n{spec.ansatz_name} on {len(spec.qubits)} qubits, encoding {spec.encoding_name}: "
        f"{len(spec.weights)} weights, {spec.input_size} input features, {len(spec.observables)} observables, "
        f"{sum(1 for _ in circuit.all_operations())} gates, {two_qubit_gates} on two qubits, depth {len(circuit)}\n"
        f"source of the ansatz: {ANSATZE[spec.ansatz_name].source}"
    )
