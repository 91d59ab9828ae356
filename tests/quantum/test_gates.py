"""Gates as arrays against Cirq's unitaries."""

import cirq
import numpy as np
import pytest
import sympy

from qssl_tf.errors import UserError
from qssl_tf.quantum import tfq_availability
from qssl_tf.quantum.gates import Dephasing, Gate, RowRotation, embed, instructions
from qssl_tf.quantum.gatewise import gatewise

T = sympy.Symbol("t")
QUBITS = cirq.LineQubit.range(3)
ROTATIONS = [
    cirq.rx(T)(QUBITS[2]),
    cirq.ry(2 * T)(QUBITS[0]),
    cirq.rz(T + 0.3)(QUBITS[1]),
    cirq.rx(T)(QUBITS[0]).controlled_by(QUBITS[2]),
    cirq.ry(T)(QUBITS[1]).controlled_by(QUBITS[2], QUBITS[0]),
    cirq.rz(-T)(QUBITS[2]).controlled_by(QUBITS[0]),
    cirq.rx(T)(QUBITS[1]).controlled_by(QUBITS[0], control_values=[0]),
    cirq.ry(T)(QUBITS[1]).controlled_by(QUBITS[2], QUBITS[0], control_values=[0, 1]),
    cirq.ControlledGate(cirq.rx(T), control_values=[0])(QUBITS[2], QUBITS[1]),
    cirq.XXPowGate(exponent=T / sympy.pi, global_shift=-0.5)(QUBITS[2], QUBITS[0]),
    cirq.YYPowGate(exponent=T / sympy.pi, global_shift=-0.5)(QUBITS[1], QUBITS[2]),
    cirq.ZZPowGate(exponent=T / sympy.pi, global_shift=-0.5)(QUBITS[0], QUBITS[1]),
]


def unitary(operation, value):
    operation = cirq.resolve_parameters(operation, {T: value})
    return cirq.Circuit(cirq.I.on_each(*QUBITS), operation).unitary(qubit_order=QUBITS)


def matrix(instruction, angle):
    """The instruction on three wires, in double precision, from its definition."""
    if isinstance(instruction, Gate):
        constant, by_cosine, by_sine = instruction.terms
        local_matrix = constant + np.cos(angle / 2) * by_cosine + np.sin(angle / 2) * by_sine
        return embed(local_matrix, instruction.wires, range(3))
    assert set(instruction.letters) == {"Z"}
    bits = (np.arange(8)[:, None] >> np.arange(3)[::-1]) & 1
    sign = np.prod(1 - 2 * bits[:, list(instruction.targets)], axis=1)
    controls = [bits[:, wire] == value for wire, value in instruction.controls.items()]
    return np.diag(np.exp(-0.5j * angle * sign * np.prod([np.ones(8), *controls], axis=0)))


@pytest.mark.parametrize("operation", ROTATIONS, ids=str)
@pytest.mark.parametrize("by_row", [False, True])
def test_a_rotation_is_cirqs(operation, by_row):
    gates = gatewise(cirq.Circuit(operation), (T,))
    (instruction,) = instructions(gates, QUBITS, {0} if by_row else ())
    assert isinstance(instruction, RowRotation) == by_row
    for value in (-2.1, 0.4, 3.7):
        angle = value * gates.matrix[0, 0] + gates.offset[0]
        product = np.eye(8)
        for part in instruction.about_z() if by_row else [instruction]:
            product = matrix(part, angle) @ product
        np.testing.assert_allclose(product, unitary(operation, value), atol=1e-6)


def test_fixed_gates_and_dephasing_keep_their_wires():
    circuit = cirq.Circuit(cirq.CX(QUBITS[2], QUBITS[0]), cirq.phase_flip(0.5)(QUBITS[1]))
    gate, dephasing = instructions(gatewise(circuit, ()), QUBITS, ())
    assert dephasing == Dephasing((1,))
    np.testing.assert_allclose(matrix(gate, 0.0), unitary(cirq.CX(QUBITS[2], QUBITS[0]), 0.0))


def test_operations_at_the_front_can_be_skipped():
    circuit = cirq.Circuit(cirq.rx(T)(QUBITS[0]), cirq.H(QUBITS[0]), cirq.ry(T)(QUBITS[0]))
    (remaining,) = instructions(gatewise(circuit, (T,)), QUBITS, (), skip=2)
    assert remaining.angle == 1


@pytest.mark.parametrize(
    ("absence", "remedy"), [(None, "leave it out, or take `simulator` tfq"), ("no", "leave it out")]
)
def test_operations_that_only_tfq_supports_are_refused(absence, remedy, monkeypatch):
    monkeypatch.setattr(tfq_availability, "why_absent", lambda: absence)
    noisy = gatewise(cirq.Circuit(cirq.depolarize(0.1)(QUBITS[0])), ())
    with pytest.raises(UserError, match=rf"`partial_measurement`; got depolarize\(p=0.1\); {remedy}\.$"):
        list(instructions(noisy, QUBITS, ()))
    x_power = cirq.XPowGate(exponent=T / sympy.pi)(QUBITS[0])  # cirq.rx(T) up to a phase, which matters under control
    phased = gatewise(cirq.Circuit(cirq.ControlledOperation([QUBITS[1]], x_power)), (T,))
    with pytest.raises(UserError, match="xla takes controlled rotations such as"):
        list(instructions(phased, QUBITS, ()))
