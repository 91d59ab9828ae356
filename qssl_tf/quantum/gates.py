"""Gates as plain arrays, for simulators that do not depend on Cirq.

A gate's matrix is T_0 + cos(angle/2) T_1 + sin(angle/2) T_2: with P a product of Pauli matrices and C the projector
onto the control values that activate it, controlled exp(-i angle/2 P) has T_0 = 1 - C, T_1 = C, T_2 = -i C P. Angles
are in radians.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cirq
import numpy as np

from qssl_tf.errors import UserError
from qssl_tf.quantum.controls import split_controls
from qssl_tf.quantum.gatewise import GatewiseCircuit
from qssl_tf.quantum.noise import DEPHASING
from qssl_tf.quantum.tfq_availability import or_tfq


@dataclass(frozen=True)
class Gate:
    """A gate whose angle, if it has one, is the same for every row of a batch.

    Attributes:
        wires: Numbers of the qubits; the first is the most significant bit of the matrices' indices.
        terms: complex128, shape (3, 2^k, 2^k): T_0, T_1, T_2. A gate without angle has T_0 alone.
        angle: The gate's number in the split circuit; None if it has no angle.
    """

    wires: tuple[int, ...]
    terms: np.ndarray
    angle: int | None = None


@dataclass(frozen=True)
class RowRotation:
    """Controlled exp(-i angle/2 P) with a separate angle for each row of a batch.

    Attributes:
        wires: All its qubits, controls first.
        letters: The Pauli matrices of P, on the last of the wires.
        angle: The gate's number in the split circuit.
        values: The value of each control, 0 or 1, that activates it.
    """

    wires: tuple[int, ...]
    letters: str
    angle: int
    values: tuple[int, ...] = ()

    @property
    def controls(self) -> dict[int, int]:
        """The activating value of each control wire."""
        return dict(zip(self.wires, self.values, strict=False))

    @property
    def targets(self) -> tuple[int, ...]:
        """The wires of P."""
        return self.wires[len(self.wires) - len(self.letters) :]

    def about_z(self) -> list["Instruction"]:
        """Return the same rotation as a basis change, a rotation about Z...Z, and the inverse basis change."""
        basis_changes = [(TO_Z[letter], (target,)) for letter, target in zip(self.letters, self.targets, strict=True)]
        basis_changes = [basis_change for basis_change in basis_changes if basis_change[0] is not TO_Z["Z"]]
        rotation = replace(self, letters="Z" * len(self.letters))
        return [
            *(fixed_gate(v.conj().T, wire) for v, wire in basis_changes),
            rotation,
            *(fixed_gate(v, wire) for v, wire in basis_changes),
        ]


@dataclass(frozen=True)
class Dephasing:
    """A measurement of one qubit in Z whose outcome is discarded."""

    wires: tuple[int, ...]


Instruction = Gate | RowRotation | Dephasing

# exp(-i angle/2 P) = V exp(-i angle/2 Z...Z) V^dagger: V for each Pauli letter.
TO_Z = {"X": cirq.unitary(cirq.H), "Y": cirq.unitary(cirq.rx(-np.pi / 2)), "Z": np.eye(2)}
LETTERS: dict[type, str] = {
    cirq.XPowGate: "X",
    cirq.YPowGate: "Y",
    cirq.ZPowGate: "Z",
    cirq.XXPowGate: "XX",
    cirq.YYPowGate: "YY",
    cirq.ZZPowGate: "ZZ",
}


def instructions(
    circuit: GatewiseCircuit, qubits: Sequence[cirq.Qid], by_row: Container[int], skip: int = 0
) -> Iterator[Instruction]:
    """Yield the instructions of a split circuit in order.

    Args:
        circuit: The gates; the only channel supported is full dephasing (`noise.DEPHASING`).
        qubits: In order; qubit i is wire i.
        by_row: Numbers of the gates that have a separate angle for each row.
        skip: Number of leading operations to leave out.

    Raises:
        UserError: A channel, or a controlled gate with a phase of its own.
    """
    wire = {qubit: number for number, qubit in enumerate(qubits)}
    number = {name: angle for angle, name in enumerate(circuit.names)}
    for operation in circuit.operations[skip:]:
        wires = tuple(wire[qubit] for qubit in operation.qubits)
        if cirq.is_parameterized(operation):
            _check_phase(operation)
            (name,) = cirq.parameter_names(operation)
            yield (_row_rotation if number[name] in by_row else shared_gate)(operation, wires, number[name])
        elif operation.gate == DEPHASING:
            yield Dephasing(wires)
        elif cirq.has_unitary(operation):
            yield fixed_gate(cirq.unitary(operation), wires)
        else:
            raise UserError(
                "`simulator` xla knows no channel but the full dephasing of `partial_measurement`; got "
                f"{operation.gate}; {or_tfq('leave it out')}."
            )


def fixed_gate(matrix: np.ndarray, wires: tuple[int, ...]) -> Gate:
    """Return a gate without angle."""
    return Gate(wires, np.stack([matrix, 0 * matrix, 0 * matrix]).astype(complex))


def _check_phase(operation: cirq.Operation) -> None:
    sub_operation, controls, _ = split_controls(operation)
    if controls and sub_operation.gate.global_shift != -0.5:
        raise UserError(
            "`simulator` xla takes controlled rotations such as cirq.rx(angle).controlled(), whose global_shift is "
            f"-0.5; got {operation!r}; {or_tfq('write it as one of them')}."
        )


def shared_gate(operation: cirq.Operation, wires: tuple[int, ...], angle: int) -> Gate:
    """Return a gate with one angle for all rows; three angles determine its terms."""
    (name,) = cirq.parameter_names(operation)
    at_0, at_pi, at_2pi = (
        _without_phase(cirq.resolve_parameters(operation, {name: value})) for value in (0.0, np.pi, 2 * np.pi)
    )
    constant = (at_0 + at_2pi) / 2
    return Gate(wires, np.stack([constant, (at_0 - at_2pi) / 2, at_pi - constant]), angle)


def _without_phase(operation: cirq.Operation) -> np.ndarray:
    """Return the unitary of a rotation, as exp(-i angle/2 P) where it is not controlled."""
    if isinstance(operation, cirq.ControlledOperation):
        return cirq.unitary(operation)
    gate: Any = operation.gate
    return cirq.unitary(type(gate)(exponent=gate.exponent, global_shift=-0.5))


def _row_rotation(operation: cirq.Operation, wires: tuple[int, ...], angle: int) -> RowRotation:
    sub_operation, _, (values,) = split_controls(operation)
    letters = next(letters for gate_type, letters in LETTERS.items() if isinstance(sub_operation.gate, gate_type))
    return RowRotation(wires, letters, angle, values)


def embed(matrix: np.ndarray, wires: Sequence[int], all_wires: Sequence[int], base: int = 2) -> np.ndarray:
    """Return a matrix on `wires` as one on `all_wires`, a superset; the first wire is the most significant digit.

    Args:
        matrix: Its indices have one digit per wire.
        wires: On which it acts.
        all_wires: On which the result acts.
        base: Values of a digit: 2 of a state, 4 of Pauli coefficients.
    """
    other_wires = [wire for wire in all_wires if wire not in wires]
    count, order = len(all_wires), [*wires, *other_wires]
    tensor = np.kron(matrix, np.eye(base ** len(other_wires))).reshape([base] * (2 * count))
    axes = [order.index(wire) for wire in all_wires]
    return tensor.transpose([*axes, *(count + axis for axis in axes)]).reshape(base**count, base**count)
