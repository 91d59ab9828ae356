"""User-defined circuits: weights are counted, invalid gates refused, and results equal those of built-in circuits."""

import cirq
import numpy as np
import pytest
import sympy
import tensorflow as tf

from qssl_tf.compiler.translate import to_qiskit
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.custom_ansatz import FIXED_GATES, register_ansatz
from qssl_tf.quantum.gatewise import ROTATIONS
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.tfq_availability import tensorflow_quantum, why_absent


def ring_by_hand(qubits, weights, layer):
    gates = [cirq.ry(next(weights))(qubit) for qubit in qubits]
    pairs = zip(qubits, [*qubits[1:], qubits[0]], strict=True)
    return gates + [cirq.rx(next(weights))(target).controlled_by(control) for control, target in pairs]


@pytest.mark.parametrize("simulator", ["xla", "tfq"])
def test_the_ring_as_a_custom_circuit_equals_the_builtin_one(own_words, simulator):
    register_ansatz("my_ring")(ring_by_hand)
    assert Config(ansatz="my_ring").ansatz == "my_ring"
    angles = np.random.default_rng(0).uniform(0, np.pi, (5, 4)).astype(np.float32)
    heads = [QuantumHead(4, ansatz, 3, simulator=simulator, seed=1) for ansatz in ("ring", "my_ring")]
    for head in heads:
        head.build((None, 4))
    assert heads[1].parameters.shape == heads[0].parameters.shape == (24,)
    np.testing.assert_allclose(heads[1](angles), heads[0](angles), atol=1e-6)


def test_the_bridge_takes_it(own_words):
    register_ansatz("my_ring")(ring_by_hand)
    specs = [circuit_spec(3, ansatz, 2) for ansatz in ("ring", "my_ring")]
    ring, custom = (to_qiskit(spec.circuit, spec.qubits)[0] for spec in specs)
    assert custom.count_ops() == ring.count_ops()


def test_weights_are_counted_for_every_width_and_number_of_layers(own_words):
    @register_ansatz("stairs", min_width=1)
    def stairs(qubits, weights, layer):
        for qubit in qubits[: layer + 1]:
            yield cirq.rz(next(weights))(qubit)

    for width, layers, count in ((1, 3, 3), (2, 3, 5), (5, 2, 3), (12, 4, 10)):
        assert len(circuit_spec(width, "stairs", layers).weights) == count


def test_a_notebooks_cell_can_be_run_again_with_another_circuit(own_words):
    register_ansatz("mine")(lambda qubits, weights, layer: [cirq.ry(next(weights))(qubits[0])])
    register_ansatz("mine")(ring_by_hand)
    assert len(circuit_spec(4, "mine", 1).weights) == 8


def test_every_fixed_gate_is_one_of_tensorflow_quantums():
    tfq = tensorflow_quantum()
    if tfq is None:
        pytest.skip(str(why_absent()))
    assert set(FIXED_GATES) | set(ROTATIONS) <= {type(gate) for gate in tfq.util.get_supported_gates()}


@pytest.mark.parametrize("kind", FIXED_GATES)
def test_every_fixed_gate_runs_everywhere(own_words, kind):
    """A rotation, the gate, a rotation: on both simulators, and translated to Qiskit."""
    arguments = {cirq.PhasedXPowGate: {"phase_exponent": 0.3}, cirq.FSimGate: {"theta": 0.3, "phi": 0.4}}
    gate = kind(**arguments.get(kind, {})) if kind is not cirq.IdentityGate else cirq.I

    @register_ansatz("around")
    def around(qubits, weights, layer):
        yield from (cirq.ry(next(weights))(qubit) for qubit in qubits)
        yield gate(*qubits[: cirq.num_qubits(gate)])
        yield from (cirq.rx(next(weights))(qubit) for qubit in qubits)

    angles = np.random.default_rng(0).uniform(0, np.pi, (4, 3)).astype(np.float32)
    heads = [QuantumHead(3, "around", 2, simulator=simulator, seed=2) for simulator in ("tfq", "xla")]
    for head in heads:
        head.build((None, 3))
    np.testing.assert_allclose(heads[1](angles), heads[0](angles), atol=1e-5)
    to_qiskit(heads[0].spec.circuit, heads[0].spec.qubits)


@pytest.mark.parametrize("simulator", ["xla", "tfq"])
def test_an_operation_may_be_used_again_under_other_controls(own_words, simulator):
    """X on qubit 1, then again if qubit 0 is 0: both qubits end in equal states, with <Z> = cos(weight)."""

    @register_ansatz("again")
    def again(qubits, weights, layer):
        yield cirq.ry(next(weights))(qubits[0])
        turn = cirq.X(qubits[1])
        yield turn
        yield cirq.ControlledOperation([qubits[0]], turn, [0])

    head = QuantumHead(2, "again", 1, simulator=simulator)
    head.build((None, 2))
    head.parameters.assign([1.0])
    np.testing.assert_allclose(head(np.zeros((1, 2), np.float32))[0], [np.cos(1.0)] * 2, atol=1e-5)


KNOWN = (
    "take rotations such as cirq.rx(w)(qubit), bare or with .controlled_by(qubit), and without a weight "
    "H, X, Y, Z, S, T, XX, YY, ZZ, CX, CZ, SWAP, ISWAP, powers of them, PhasedX and FSim."
)
BAD = {
    "uses the symbol 'theta'; take weights with next(weights) alone.": lambda q, w, n: [
        cirq.ry(sympy.Symbol("theta"))(q[0])
    ],
    "has an angle that is no multiple of one weight, Ry(I*theta_000000/piπ)(q(0, 0)).": lambda q, w, n: [
        cirq.ry(sympy.I * next(w))(q[0])
    ],
    "takes its weight 1 and uses it in no gate; take as many as are used.": lambda q, w, n: [
        (gate, next(w))[0] for gate in [cirq.ry(next(w))(q[0])]
    ],
    "must not measure q(0, 1): the head measures at the end, and `partial_measurement` between layers.": (
        lambda q, w, n: [cirq.ry(next(w))(q[0]), cirq.measure(q[1])]
    ),
    f"has a gate that is unknown here, depolarize(p=0.1)(q(0, 0)); {KNOWN}": lambda q, w, n: [
        cirq.depolarize(0.1)(q[0])
    ],
    f"has a gate that is unknown here, CZ**theta_000000(q(0, 0), q(0, 1)); {KNOWN}": lambda q, w, n: [
        (cirq.CZ ** next(w))(q[0], q[1])
    ],
    "acts on q(0), which is none of the qubits it was given.": lambda q, w, n: [cirq.H(cirq.LineQubit(0))],
    "must give Cirq's operations, such as cirq.H(qubit); got 'H'.": lambda q, w, n: ["H"],
    "failed with TypeError: 'NoneType' object is not iterable.": lambda q, w, n: None,
    "failed with IndexError: list index out of range.": lambda q, w, n: [cirq.H(q[7])],
    "has an angle that is no multiple of one weight, Ry((theta_000000 + theta_000001)/piπ)(q(0, 0)).": (
        lambda q, w, n: [cirq.ry(next(w) + next(w))(q[0])]
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_invalid_circuits_are_refused_in_one_line_and_not_registered(own_words, sentence):
    with pytest.raises(UserError) as error:
        register_ansatz("zigzag")(BAD[sentence])
    assert str(error.value) == f"layer 0 of `ansatz` 'zigzag' on 2 qubits {sentence}"
    with pytest.raises(UserError, match="got 'zigzag'. One of your own needs its file: --plugin FILE"):
        Config(ansatz="zigzag")


@pytest.mark.parametrize("gradient", ["adjoint", "parameter_shift"])
@pytest.mark.parametrize("simulator", ["xla", "tfq"])
def test_a_weight_of_several_gates_turns_them_together(own_words, simulator, gradient):
    """RY(w) and then RY(2 w) on one qubit: <Z> = cos 3 w, with the derivative -3 sin 3 w."""

    @register_ansatz("shared", min_width=1)
    def shared(qubits, weights, layer):
        weight = next(weights)
        yield cirq.ry(weight)(qubits[0])
        yield cirq.ry(2 * weight)(qubits[0])

    head = QuantumHead(1, "shared", 1, simulator=simulator, gradient=gradient)
    head.build((None, 1))
    head.parameters.assign([0.4])
    with tf.GradientTape() as tape:
        outputs = head(np.zeros((1, 1), np.float32))
    assert outputs.numpy() == pytest.approx(np.cos(1.2), abs=1e-5)
    assert tape.gradient(outputs, head.parameters).numpy() == pytest.approx(-3 * np.sin(1.2), abs=1e-4)


class Overridden(cirq.XPowGate):
    """A user-defined gate, which each simulator would read differently."""


NOT_NUMBERS = {
    "has a gate whose parameter is not finite, ": lambda weights: cirq.XPowGate(exponent=float("nan")),
    "has a gate whose parameter is not finite, X": lambda weights: cirq.XPowGate(exponent=float("inf")),
    "has a gate whose parameter is not finite, R": lambda weights: cirq.rx(float("nan") * next(weights)),
    "has an angle that is no multiple of one weight, ": lambda weights: cirq.rx(1e300 * next(weights)),
    "has an angle that is no multiple of one weight, R": lambda weights: _by_its_argument(next(weights)),
    "has a gate that is unknown here, ": lambda weights: Overridden(),
}


def _by_its_argument(weight):
    return cirq.rx(weight * sympy.arg(weight))


@pytest.mark.parametrize("sentence", NOT_NUMBERS)
def test_invalid_parameters_are_refused(own_words, sentence):
    def layer(qubits, weights, number):
        yield cirq.ry(next(weights))(qubits[0])
        yield NOT_NUMBERS[sentence](weights)(qubits[0])

    with pytest.raises(UserError) as error:
        register_ansatz("odd")(layer)
    message = str(error.value)
    assert message.startswith(f"layer 0 of `ansatz` 'odd' on 2 qubits {sentence}") and "\n" not in message


@pytest.mark.parametrize("simulator", ["xla", "tfq"])
def test_gates_that_cirq_makes_of_two_controls_run_everywhere(own_words, simulator):
    """Controlled X, Z and SWAP become special gates in Cirq, whose simulator is the judge."""

    @register_ansatz("twice", min_width=3)
    def twice(qubits, weights, number):
        first, second, third = qubits[:3]
        for qubit in qubits:
            yield cirq.ry(next(weights))(qubit)
        yield cirq.X(third).controlled_by(first, second)
        yield cirq.Z(first).controlled_by(second, third)
        yield (cirq.TOFFOLI**0.3)(second, third, first)
        yield cirq.SWAP(first, second).controlled_by(third)

    head = QuantumHead(3, "twice", 2, simulator=simulator, seed=1)
    angles = np.array([[0.3, 1.2, 2.1]], np.float32)
    outputs, spec = head(angles).numpy()[0], head.spec
    numbers = [*angles[0], *head.parameters.numpy()]
    values = {str(symbol): float(number) for symbol, number in zip(spec.inputs + spec.weights, numbers, strict=True)}
    judge = cirq.Simulator(dtype=np.complex128).simulate_expectation_values(
        spec.circuit, list(spec.observables), values
    )
    assert outputs == pytest.approx(np.real(judge), abs=1e-5)
    qiskit_circuit = to_qiskit(spec.circuit, spec.qubits)[0]
    assert qiskit_circuit.num_qubits == 3


@pytest.mark.parametrize("name", ["Brick", "", "1st", "a b", "x" * 65])
def test_names_are_plain_words(own_words, name):
    with pytest.raises(UserError, match="the name of an own `ansatz` must be up to 64 small letters"):
        register_ansatz(name)(ring_by_hand)


def test_a_circuit_without_weights_is_refused(own_words):
    with pytest.raises(UserError) as error:
        register_ansatz("fixed")(lambda qubits, weights, layer: map(cirq.H, qubits))
    assert str(error.value) == "`ansatz` 'fixed' must take a weight at least, by next(weights); it takes none."


def test_builtin_names_cannot_be_replaced(own_words):
    with pytest.raises(UserError) as error:
        register_ansatz("ring")(ring_by_hand)
    assert str(error.value) == "`ansatz` 'ring' is one of the library's; choose another name for your own."


def test_a_width_for_which_it_fails_is_reported_on_use(own_words):
    register_ansatz("small")(
        lambda qubits, weights, layer: [cirq.rx(next(weights))({2: qubits, 3: qubits, 4: qubits}[len(qubits)][0])]
    )
    with pytest.raises(UserError) as error:
        circuit_spec(5, "small", 1)
    assert str(error.value) == "layer 0 of `ansatz` 'small' on 5 qubits failed with KeyError: it lacks 5."
