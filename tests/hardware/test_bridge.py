"""The bridge against Cirq's unitaries, global phase included; Qiskit's own simulator judges."""

import cirq
import numpy as np
import pytest
import sympy
from qiskit.quantum_info import Operator

from qssl_tf.errors import UserError
from qssl_tf.hardware.bridge import expression, to_qiskit
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.spec import circuit_spec

A, B = sympy.symbols("a b")
QUBITS = cirq.LineQubit.range(5)
VALUES = {"a": 0.731, "b": -1.92}

# One of every family, symbolic where it can be: number of wires -> gates.
GATES = [
    cirq.X, cirq.Y, cirq.Z, cirq.H, cirq.S, cirq.T**-1, cirq.X**A, cirq.Y ** (A / 2 + 0.1), cirq.Z ** (A * B),
    cirq.H**A, cirq.H**0.3, cirq.rx(A), cirq.ry(2 * A - B), cirq.rz(-A), cirq.XPowGate(exponent=A, global_shift=0.3),
    cirq.HPowGate(exponent=A, global_shift=-0.2), cirq.I, cirq.PhasedXPowGate(phase_exponent=A, exponent=B),
    cirq.PhasedXPowGate(phase_exponent=0.2, exponent=A, global_shift=-0.5), cirq.rx(sympy.sin(A)),
    cirq.PhasedXZGate(x_exponent=A, z_exponent=B, axis_phase_exponent=0.3),
    cirq.CX, cirq.CX**A, cirq.CZ, cirq.CZ**A, cirq.CXPowGate(exponent=A, global_shift=0.4), cirq.SWAP, cirq.SWAP**A,
    cirq.ISWAP, cirq.ISWAP**A, cirq.SwapPowGate(exponent=A, global_shift=0.2), cirq.XX**A, cirq.YY**A, cirq.ZZ**A,
    cirq.ZZPowGate(exponent=A, global_shift=-0.5), cirq.PhasedISwapPowGate(phase_exponent=A, exponent=B),
    cirq.FSimGate(A, B), cirq.FSimGate(0.4, 1.1), cirq.CCX, cirq.CCX**A, cirq.CCZ, cirq.CCZ**A, cirq.CSWAP,
    cirq.IdentityGate(2), cirq.MatrixGate(cirq.testing.random_unitary(2, random_state=1)),
    cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=2)),
    cirq.MatrixGate(cirq.testing.random_unitary(8, random_state=3)), cirq.QuantumFourierTransformGate(2),
    cirq.givens(A), cirq.riswap(A), cirq.cphase(A), cirq.ms(A), cirq.QuantumFourierTransformGate(4),
]  # fmt: skip


def assert_translates(circuit, qubits=QUBITS):
    translated, parameters = to_qiskit(circuit, qubits)
    bound = translated.assign_parameters({parameters[name]: VALUES[name] for name in parameters})
    resolved = cirq.resolve_parameters(circuit, VALUES)
    judge = resolved.unitary(qubit_order=qubits, qubits_that_should_be_present=qubits)
    # The order of the bits is turned here: Cirq's first qubit is the most significant.
    np.testing.assert_allclose(Operator(bound).reverse_qargs().data, judge, atol=1e-7)


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_every_gate_bare_and_under_controls(gate):
    count = cirq.num_qubits(gate)
    own, spare = QUBITS[5 - count :][::-1], QUBITS[: 5 - count]
    assert_translates(cirq.Circuit(gate(*own)))
    if count <= 4 and not isinstance(gate, cirq.QuantumFourierTransformGate):
        assert_translates(cirq.Circuit(gate(*own).controlled_by(spare[0])))
        assert_translates(cirq.Circuit(gate(*own).controlled_by(spare[-1], control_values=[0])))
    if count <= 3:
        two = cirq.ControlledGate(gate, num_controls=2, control_values=[0, 1])
        assert_translates(cirq.Circuit(two(*spare[:2], *own)))


def test_global_phases_tags_and_circuits_in_circuits():
    inner = cirq.FrozenCircuit(cirq.rx(A)(QUBITS[0]), cirq.CX(QUBITS[0], QUBITS[2]) ** B)
    repeated = cirq.CircuitOperation(inner, repetitions=2, use_repetition_ids=False).with_qubit_mapping(
        {QUBITS[0]: QUBITS[3]}
    )
    circuit = cirq.Circuit(
        cirq.global_phase_operation(1j),
        repeated.with_tags("twice"),
        cirq.rz(A)(QUBITS[1]).with_tags("tag"),
        cirq.global_phase_operation(np.exp(0.4j)).controlled_by(QUBITS[4]),
        cirq.CircuitOperation(inner, use_repetition_ids=False).controlled_by(QUBITS[4], control_values=[0]),
    )
    assert_translates(circuit)


RANDOM = [gate for gate in GATES if not isinstance(gate, cirq.QuantumFourierTransformGate)]


@pytest.mark.parametrize("seed", range(300))
def test_random_symbolic_circuits(seed):
    rng = np.random.default_rng(seed)
    circuit = cirq.Circuit()
    for number in rng.integers(len(RANDOM), size=10):
        gate = RANDOM[number]
        wires = rng.permutation(4)
        count = cirq.num_qubits(gate)
        operation = gate(*(QUBITS[wire] for wire in wires[:count]))
        if count < 3 and rng.random() < 0.3:
            operation = operation.controlled_by(QUBITS[wires[3]], control_values=[int(rng.integers(2))])
        circuit.append(operation)
    order = [QUBITS[wire] for wire in rng.permutation(4)]
    assert_translates(circuit, order)


@pytest.mark.parametrize("ansatz", ANSATZE)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_head_of_the_library(ansatz, encoding):
    spec = circuit_spec(4, ansatz, 2, encoding)
    translated, parameters = to_qiskit(spec.circuit, spec.qubits)
    values = dict(zip(map(str, spec.inputs + spec.weights), np.random.default_rng(0).normal(size=200), strict=False))
    assert parameters.keys() == {str(symbol) for symbol in spec.inputs + spec.weights}
    bound = translated.assign_parameters({parameters[name]: values[name] for name in parameters})
    judge = cirq.resolve_parameters(spec.circuit, values).unitary(qubit_order=spec.qubits)
    np.testing.assert_allclose(Operator(bound).reverse_qargs().data, judge, atol=1e-6)


def test_idle_qubits_stay():
    translated, _ = to_qiskit(cirq.Circuit(cirq.X(QUBITS[3])), QUBITS)
    assert translated.num_qubits == 5
    assert [translated.find_bit(q).index for q in translated.data[0].qubits] == [3]


@pytest.mark.parametrize(
    ("circuit", "sentence"),
    [
        (cirq.Circuit(cirq.measure(QUBITS[0], key="m")), "the bridge cannot translate cirq.MeasurementGate"),
        (cirq.Circuit(cirq.depolarize(0.1)(QUBITS[1])), "the bridge cannot translate depolarize(p=0.1)(q(1))"),
        (cirq.Circuit(cirq.X(cirq.LineQubit(9))), "`qubits` must hold every qubit of the circuit; it lacks q(9)."),
        (
            cirq.Circuit(cirq.X(QUBITS[0]).controlled_by(QUBITS[1], control_values=[(0, 1)])),
            "the bridge takes controls that wait for one value each; got",
        ),
        (cirq.Circuit(cirq.rx(sympy.zeta(A))(QUBITS[0])), "the bridge cannot write zeta(a) with Qiskit's parameters"),
    ],
    ids=["measurement", "channel", "foreign qubit", "both values", "function"],
)
def test_what_cannot_be_translated_is_named(circuit, sentence):
    with pytest.raises(UserError) as caught:
        to_qiskit(circuit, QUBITS)
    assert sentence in str(caught.value)


def test_expressions_keep_their_numbers():
    assert expression(sympy.pi / 2, {}) == pytest.approx(np.pi / 2)
    with pytest.raises(UserError, match="must be real numbers of radians; got I"):
        expression(sympy.I, {})
