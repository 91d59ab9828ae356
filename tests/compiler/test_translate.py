"""The bridge against Cirq's unitaries, global phase included; Qiskit's own simulator judges."""

import cirq
import numpy as np
import pytest
import sympy
from qiskit.quantum_info import Operator

import qssl_tf as q
from qssl_tf.compiler.translate import expression, to_qiskit
from qssl_tf.errors import UserError
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
    cirq.CCXPowGate(exponent=A, global_shift=0.4), cirq.CCZPowGate(exponent=A, global_shift=-0.3),
    cirq.CCXPowGate(global_shift=0.2),
    cirq.IdentityGate(2), cirq.MatrixGate(cirq.testing.random_unitary(2, random_state=1)),
    cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=2)),
    cirq.MatrixGate(cirq.testing.random_unitary(8, random_state=3)), cirq.QuantumFourierTransformGate(2),
    cirq.DiagonalGate([A, B, 0.3, A * B]), cirq.DiagonalGate([0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2, 2.9] * 2),
    cirq.TwoQubitDiagonalGate([A, 0.2, B, 1.0]), cirq.ThreeQubitDiagonalGate([A, 0.2, B, 1.0, 0.3, A, 0.0, 0.5]),
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


@pytest.mark.parametrize("gate", [cirq.X**A, cirq.rx(A), cirq.XX**B, cirq.I], ids=str)
@pytest.mark.parametrize(
    "values",
    [
        [(0, 1), (1,)],
        [(0, 1), (0, 1)],
        cirq.SumOfProducts([[0, 1], [1, 0]]),
        cirq.SumOfProducts([[0, 0], [0, 1], [1, 1]]),
    ],
    ids=str,
)
def test_controls_of_several_values(gate, values):
    operation = gate(*QUBITS[: cirq.num_qubits(gate)]).controlled_by(*QUBITS[3:], control_values=values)
    assert_translates(cirq.Circuit(operation))
    assert_translates(cirq.Circuit(operation.controlled_by(QUBITS[2], control_values=[0]).with_tags("a")))


def test_global_phases_tags_and_circuits_in_circuits():
    inner = cirq.FrozenCircuit(cirq.rx(A)(QUBITS[0]), cirq.CX(QUBITS[0], QUBITS[2]) ** B)
    repeated = cirq.CircuitOperation(inner, repetitions=2, use_repetition_ids=False).with_qubit_mapping(
        {QUBITS[0]: QUBITS[3]}
    )
    circuit = cirq.Circuit(
        cirq.global_phase_operation(1j),
        cirq.global_phase_operation(sympy.exp(sympy.I * A)).controlled_by(QUBITS[1]),
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
        (cirq.Circuit(cirq.measure(QUBITS[0], key="m")), "to_qiskit cannot translate cirq.MeasurementGate"),
        (cirq.Circuit(cirq.depolarize(0.1)(QUBITS[1])), "to_qiskit cannot translate depolarize(p=0.1)(q(1))"),
        (cirq.Circuit(cirq.X(cirq.LineQubit(9))), "`qubits` must hold every qubit of the circuit; it lacks q(9)."),
        (
            cirq.Circuit(cirq.rx(sympy.zeta(A))(QUBITS[0])),
            "to_qiskit cannot write zeta(a) with Qiskit's parameters, which have no zeta.",
        ),
        (
            cirq.Circuit(cirq.rx(sympy.I * A)(QUBITS[0])),
            "angles must be real numbers of radians; got I*a.",
        ),
        (
            cirq.Circuit(cirq.phase_flip(0.5)(QUBITS[0]).controlled_by(QUBITS[1])),
            "to_qiskit cannot translate phase_flip(p=0.5)(q(0))",
        ),
    ],
    ids=["measurement", "channel", "foreign qubit", "function", "imaginary", "controlled measurement"],
)
def test_what_cannot_be_translated_is_named(circuit, sentence):
    with pytest.raises(UserError) as caught:
        to_qiskit(circuit, QUBITS)
    assert sentence in str(caught.value)


def test_a_measurement_that_nobody_reads_keeps_its_place_and_gets_bits_of_its_own():
    circuit = cirq.Circuit(cirq.H(QUBITS[1]), cirq.phase_flip(0.5)(QUBITS[1]), cirq.H(QUBITS[1]))
    translated, _ = to_qiskit(circuit, QUBITS)
    assert [item.operation.name for item in translated.data] == ["h", "measure", "h"]
    assert [(register.name, register.size) for register in translated.cregs] == [("between", 1)]


THREE = cirq.LineQid(0, dimension=3)


@pytest.mark.parametrize(
    ("operation", "qubits", "sentence"),
    [
        (cirq.XPowGate(dimension=3)(THREE), [THREE], "`qubits` must have two levels each; q(0) (d=3) has 3."),
        (
            cirq.X(QUBITS[1]).controlled_by(THREE, control_values=[2]),
            [THREE, QUBITS[1]],
            "`qubits` must have two levels each; q(0) (d=3) has 3.",
        ),
        (
            cirq.CX(QUBITS[0], QUBITS[1]),
            [QUBITS[0], QUBITS[1], QUBITS[0]],
            "`qubits` must hold each qubit once; it holds q(0) more than once.",
        ),
    ],
    ids=["qutrit", "qutrit control", "twice"],
)
def test_only_qubits_are_translated_and_each_once(operation, qubits, sentence):
    with pytest.raises(UserError) as caught:
        to_qiskit(cirq.Circuit(operation), qubits)
    assert str(caught.value) == sentence


NAMES = ("pi", "e", "E", "I", "exp", "lambda", "in", "None", "x y", "a+b", "θ", "_", "N", "S", "zoo")
EXPRESSIONS = [
    lambda a, b: a, lambda a, b: sympy.log(2) * a, lambda a, b: sympy.sqrt(a), lambda a, b: a**b,
    lambda a, b: sympy.pi * a + sympy.E * b, lambda a, b: 2**a - sympy.exp(-b),
    lambda a, b: sympy.sqrt(a * b) / (a + b),
    lambda a, b: sympy.log(a) * sympy.Abs(b - 3), lambda a, b: sympy.Rational(1, 3) * a / b,
    lambda a, b: sympy.atan(a) + sympy.sin(b) ** 2 - sympy.GoldenRatio, lambda a, b: sympy.sign(b - 3) * a,
]  # fmt: skip


@pytest.mark.parametrize("made", EXPRESSIONS)
@pytest.mark.parametrize("names", list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)), ids=str)
def test_names_of_symbols_say_nothing_and_expressions_are_sympys(names, made):
    a, b = (sympy.Symbol(name, positive=place == 1) for place, name in enumerate(names))
    circuit = cirq.Circuit(cirq.XPowGate(exponent=made(a, b))(QUBITS[0]), cirq.rz(a)(QUBITS[0]))
    translated, parameters = to_qiskit(circuit, QUBITS[:1])
    numbers = dict(zip((a, b), (0.7, 1.3), strict=True))
    bound = translated.assign_parameters({parameters[s.name]: v for s, v in numbers.items() if s.name in parameters})
    exponent = float(made(a, b).subs(numbers))
    judge = cirq.unitary(cirq.rz(0.7)) @ cirq.unitary(cirq.X**exponent)
    np.testing.assert_allclose(Operator(bound).data, judge, atol=1e-9)


def test_symbols_of_one_name_are_one_parameter_whatever_is_assumed_of_them():
    plain, real = sympy.Symbol("a"), sympy.Symbol("a", real=True)
    circuit = cirq.Circuit(cirq.rx(plain)(QUBITS[0]), cirq.ry(real + plain)(QUBITS[0]))
    translated, parameters = to_qiskit(circuit, QUBITS[:1])
    bound = translated.assign_parameters({parameters["a"]: 0.4})
    judge = cirq.unitary(cirq.ry(0.8)) @ cirq.unitary(cirq.rx(0.4))
    np.testing.assert_allclose(Operator(bound).data, judge, atol=1e-9)


def test_expressions_keep_their_numbers():
    assert expression(sympy.pi / 2, {}) == pytest.approx(np.pi / 2)
    with pytest.raises(UserError, match="must be real numbers of radians; got I"):
        expression(sympy.I, {})


def test_without_qubits_those_with_gates_are_taken_in_order():
    first, second = cirq.LineQubit(7), cirq.LineQubit(2)
    circuit = cirq.Circuit(cirq.rx(0.3)(first), cirq.CX(first, second), cirq.ry(1.1)(second))
    translated, _ = q.to_qiskit(circuit)
    judge = circuit.unitary(qubit_order=[second, first])
    np.testing.assert_allclose(Operator(translated).reverse_qargs().data, judge, atol=1e-7)
