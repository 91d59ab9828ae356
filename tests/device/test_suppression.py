"""What a device cannot do for a circuit; the judge is Qiskit's own client, which prepares the same job."""

from itertools import chain, combinations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter
from qiskit_ibm_runtime.exceptions import IBMInputValueError
from qiskit_ibm_runtime.executor_sampler.prepare import prepare
from qiskit_ibm_runtime.options_models.sampler import SamplerOptions
from samplomatic.exceptions import BuildError, SamplexBuildError

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.compiled import folded
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import translated
from qssl_tf.device.suppression import SUPPRESSIONS, check_circuits
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import circuit_spec

NAMES = ("decoupling", "gate_twirling", "readout_twirling")
ALL = list(chain.from_iterable(combinations(NAMES, count) for count in (1, 2, 3)))
MANILA = snapshot("fake_manila")


def prepared(words, circuit):
    """Let the client make its program of one circuit; return whether it does."""
    options = SamplerOptions()
    for group, switch in (SUPPRESSIONS[word] for word in words):
        setattr(getattr(options, group), switch, True)
    rows = np.zeros((2, circuit.num_parameters))
    try:
        prepare([(circuit, {tuple(p.name for p in circuit.parameters): rows}, 100)], options, backend=MANILA)
    except (BuildError, SamplexBuildError, IBMInputValueError):
        return False
    return True


def allowed(words, circuit):
    try:
        check_circuits(words, [circuit])
    except UserError:
        return False
    return True


@pytest.mark.parametrize("middle", [False, True])
@pytest.mark.parametrize("ansatz", ["ring", "sim15", "none"])
def test_heads_are_refused_where_the_client_fails(ansatz, middle):
    spec = circuit_spec(4, ansatz, 2, mid_circuit_measurement=middle)
    circuit = compile_head(translated(spec, np.linspace(0.1, 1, len(spec.weights))), MANILA)[0].circuit
    found = {words: allowed(words, circuit) for words in ALL}
    assert found == {words: prepared(words, circuit) for words in ALL}
    assert found == {words: allowed(words, folded(circuit, 3)) for words in ALL}
    assert all(found.values()) != (middle and ansatz != "none")


def entangled(gate, *angles):
    """Two qubits, a gate on both, and measurements."""
    circuit = QuantumCircuit(5)
    circuit.sx(0)
    getattr(circuit, gate)(*angles, 0, 1)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    "circuit",
    [
        entangled("cx"),
        entangled("cz"),
        entangled("ecr"),
        entangled("rzz", np.pi / 2),
        entangled("rzz", 0.3),
        entangled("rzz", Parameter("x")),
    ],
)
def test_gates_are_twirled_where_the_client_twirls_them(circuit):
    assert allowed(["gate_twirling"], circuit) == prepared(["gate_twirling"], circuit)


def waiting():
    """A gate that waits for an outcome."""
    circuit = QuantumCircuit(5, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    return circuit


def test_gates_that_wait_for_an_outcome_are_not_decoupled():
    assert not prepared(["decoupling"], waiting())
    with pytest.raises(UserError) as caught:
        check_circuits(["decoupling"], [waiting()])
    assert str(caught.value) == (
        "`suppression` decoupling cannot be done for this circuit: it has gates that wait for a measurement's outcome, "
        "and idle times are then unknown; leave the word out."
    )


def test_a_fractional_gate_is_named():
    with pytest.raises(UserError) as caught:
        check_circuits(["decoupling", "gate_twirling"], [entangled("cz"), entangled("rzz", Parameter("x"))])
    assert str(caught.value) == (
        "`suppression` gate_twirling cannot be done for this circuit: its rzz gates have arbitrary angles, so Pauli "
        "gates do not commute through them; take `gates='standard'`, or leave the word out."
    )


@pytest.mark.parametrize("word", ["readout_twirling", "twirling"])
def test_a_measurement_between_layers_needs_its_gates_twirled_too(word):
    circuit = QuantumCircuit(5)
    circuit.add_register(ClassicalRegister(1, "between"))
    circuit.measure(0, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    with pytest.raises(UserError) as caught:
        check_circuits([word], [circuit])
    assert str(caught.value) == (
        f"`suppression` {word} cannot be done for this circuit: a qubit measured between layers meets a gate on two "
        "qubits later, and its flip cannot be moved through that; add gate_twirling, or leave the word out."
    )
    check_circuits([word, "gate_twirling"], [circuit])
