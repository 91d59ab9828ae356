"""One circuit, one meaning: whatever is drawn, every route runs it, and Cirq in complex128 says what comes out.

QSSL_EXAMPLES multiplies the number of examples, which is small so that the suite stays short.
"""

import io
import json
import math
import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from judges import qiskit_values
from judges.drawn_circuits import WIDTH, Drawn, Step, heads
from qiskit import QuantumCircuit, qasm2, qasm3, qpy

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.compiled import READ
from qssl_tf.compiler.noise_model import Errors
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import to_qiskit, translated
from qssl_tf.compiler.twin import simulated
from qssl_tf.device.backends import device
from qssl_tf.device.counts import expectations
from qssl_tf.device.export import BOUND, FORMS, manual
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.custom_ansatz import register_ansatz
from qssl_tf.quantum.gradient_rules import SPSA_STEP
from qssl_tf.quantum.measurement import GRADIENTS
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.pauli_simulator import differentiated
from qssl_tf.quantum.simulators import PAULI_ENCODINGS, PAULI_GRADIENTS

MORE = int(os.environ.get("QSSL_EXAMPLES", "1"))
SHOTS = 4096
# Hoeffding: the mean of SHOTS values of +1 and -1 is off by more with a probability of 1e-10.
SHOT_ERROR = math.sqrt(2 * math.log(2 / 1e-10) / SHOTS)
HALF_BIT = 2.0**-24  # of float32
# In float32 a gate is a product of at most 2 * 2^WIDTH real numbers, made and applied; an expectation has the state
# twice. TensorFlow Quantum writes exponents with six decimals, and a gate has up to two.
# In the Pauli basis it is 16 real numbers, made of five terms and applied; coefficients have the norm 1, and those of a
# pure state 2^(WIDTH / 2).
GATE_ERROR = (4 * 2 * 2**WIDTH + 3 * 16 * 2 ** (WIDTH / 2)) * HALF_BIT + 2 * math.pi * 0.5e-6
STEP = 1e-4  # of central differences, whose error is its square times a third derivative

varied = settings(
    deadline=None, derandomize=MORE == 1, database=None, suppress_health_check=list(HealthCheck), print_blob=True,
    phases=(Phase.explicit, Phase.generate),  # an example takes seconds: shrinking one would take minutes
)  # fmt: skip


def head_of(drawn, **options):
    """Return a built head with the drawn weights."""
    head = QuantumHead(
        WIDTH, "drawn", len(drawn.layers), drawn.encoding, drawn.words,
        partial_measurement=drawn.measured_between, seed=1, **options,
    )  # fmt: skip
    head.build((None, len(drawn.features)))
    head.parameters.assign(np.array(drawn.weights, np.float32))
    return head


def rounding(head):
    """Return how far float32 may be from the truth."""
    return GATE_ERROR * (WIDTH + sum(1 for _ in head.spec.circuit.all_operations()))


def slopes(value, point):
    """Return the central differences of a scalar function."""
    point = np.array(point, float)
    steps = STEP * np.eye(len(point))
    return np.array([(value(point + step) - value(point - step)) / (2 * STEP) for step in steps])


def published_rule(drawn, mix):
    """Return the gradient by weights of the two-term rule, gate by gate, each assignment of controls being one."""
    found = np.zeros(len(drawn.weights))
    for layer, place, weight in drawn.weighted:
        step = drawn.layers[layer][place]
        for word in step.words:
            ahead, back = (mix @ drawn.expectations(turned={(layer, place, word): way * np.pi / 2}) for way in (1, -1))
            found[weight] += step.factor * (ahead - back) / 2
    return found


def check_gradient(drawn, head, mode):
    """Hold a head's expectations and their gradients to Cirq's."""
    mix, inputs = np.linspace(1.0, -0.6, len(drawn.observables)), tf.constant([drawn.features], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        found = head(inputs)
        total = tf.reduce_sum(found * tf.constant(mix, tf.float32))
    by_inputs, by_weights = (g.numpy().ravel() for g in tape.gradient(total, [inputs, head.parameters]))
    error = rounding(head)
    np.testing.assert_allclose(found[0], drawn.expectations(), atol=error, err_msg=f"{mode}, {head.simulator}")
    steepness = sum(abs(drawn.layers[layer][place].factor) for layer, place, _ in drawn.weighted)
    error = 2 * error * len(mix) * max(1.0, steepness) + STEP**2 / 6 * steepness**3
    if mode == "two_term":
        np.testing.assert_allclose(
            by_weights, published_rule(drawn, mix), atol=error, err_msg=f"{mode}, {head.simulator}"
        )
    elif mode == "spsa":
        check_perturbed(drawn, mix, by_inputs, by_weights, error / SPSA_STEP)
    else:
        judge = slopes(lambda weights: mix @ drawn.expectations(weights=weights), drawn.weights)
        np.testing.assert_allclose(by_weights, judge, atol=error, err_msg=f"{mode}, {head.simulator}")
        judge = slopes(lambda features: mix @ drawn.expectations(features=features), drawn.features)
        # No number is below 0.1, so an angle of the amplitude encoding changes at most by 20 a unit.
        np.testing.assert_allclose(by_inputs, judge, atol=20 * error, err_msg=f"{mode}, {head.simulator}")


def check_perturbed(drawn, mix, by_inputs, by_weights, error):
    """Simultaneous perturbation is a difference along signs, which the gradient shows."""
    if drawn.encoding in ("zz", "amplitude") or not np.all(by_weights):
        return  # the angles that are perturbed are not the features; or the difference is 0 and shows no signs
    features, weights = (SPSA_STEP * np.sign(part) for part in (by_inputs, by_weights))
    ahead, back = (
        mix @ drawn.expectations(np.array(drawn.features) + way * features, np.array(drawn.weights) + way * weights)
        for way in (1, -1)
    )
    slope = (ahead - back) / (2 * SPSA_STEP)
    np.testing.assert_allclose(np.abs([*by_inputs, *by_weights]), abs(slope), atol=error)


READERS = {
    "qasm2": lambda file: qasm2.loads(file.read().decode()),
    "qasm3": lambda file: qasm3.loads(file.read().decode()),
    "qpy": lambda file: qpy.load(file)[0],
}


def read_back(form, circuit, values):
    """Return a circuit as another program reads it from a file; at the values where the form has no parameters."""
    file = io.BytesIO()
    bound = {parameter: values[parameter.name] for parameter in circuit.parameters} if form in BOUND else {}
    FORMS[form](circuit.assign_parameters(bound), file)
    file.seek(0)
    return READERS[form](file)


@pytest.mark.usefixtures("own_words")
@settings(varied, max_examples=3 * MORE)
@given(drawn=heads())
def test_simulators_and_gradients(drawn):
    register_ansatz("drawn", min_width=WIDTH)(drawn.gates)
    row, judge = np.array([drawn.features], np.float32), drawn.expectations()
    head = head_of(drawn)  # compiled by XLA, as in training
    check_gradient(drawn, head, "adjoint")
    np.testing.assert_allclose(head.predict(row)[0], judge, atol=rounding(head))
    tf.config.run_functions_eagerly(True)  # compiling each mode would take longer than running it
    try:
        for mode in GRADIENTS:
            check_gradient(drawn, head_of(drawn, simulator="xla", gradient=mode), mode)
            if not drawn.measured_between:
                check_gradient(drawn, head_of(drawn, simulator="tfq", gradient=mode), mode)
            if drawn.encoding in PAULI_ENCODINGS and mode in PAULI_GRADIENTS:
                check_gradient(drawn, head_of(drawn, simulator="pauli", gradient=mode), mode)
        for simulator in ("xla", "tfq", *(["pauli"] if drawn.encoding in PAULI_ENCODINGS else [])):
            sampled = head_of(drawn, simulator=simulator, gradient="parameter_shift", shots=SHOTS)
            np.testing.assert_allclose(sampled(row)[0], judge, atol=SHOT_ERROR + rounding(sampled))
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("own_words")
@settings(varied, max_examples=10 * MORE)
@given(drawn=heads())
def test_translator_exports_and_device(drawn):
    register_ansatz("drawn", min_width=WIDTH)(drawn.gates)
    head = head_of(drawn)
    angles = head.spec.encoding.angles(np.array([drawn.features]), np, WIDTH)[0]
    values = dict(zip(map(str, head.spec.inputs), angles.tolist(), strict=True))
    circuit, judge = translated(head.spec, np.array(drawn.weights)), drawn.expectations()
    told = json.loads(json.dumps(manual(head.spec)))
    bits = [observable["bits"] for observable in told["observables"]]
    assert ",".join(observable["product"] for observable in told["observables"]) == drawn.words
    for form in (None, *FORMS):
        made = circuit if form is None else read_back(form, circuit, values)
        free = () if form in BOUND else told["parameters"]
        assert isinstance(made, QuantumCircuit) and {p.name for p in made.parameters} == set(free)
        np.testing.assert_allclose(qiskit_values.expectations(made, values, bits), judge, atol=1e-6, err_msg=str(form))
    on = device("aer")
    compiled = compile_head(circuit, on.backend)[0].circuit
    pub = (compiled, {tuple(values): [list(values.values())]}, SHOTS)
    counted = on.sampler(1).run([pub]).result()[0].data[READ]
    found = expectations(counted, support_mask(head.spec.observables, head.spec.qubits))[0]
    np.testing.assert_allclose(found, judge, atol=SHOT_ERROR)


@pytest.mark.usefixtures("own_words")
@settings(varied, max_examples=6 * MORE)
@given(drawn=heads())
def test_the_twin_of_a_device_without_errors(drawn):
    """Compiled for fake_manila with its symbols kept, every error 0: the head as it is written."""
    register_ansatz("drawn", min_width=WIDTH)(drawn.gates)
    head, backend = head_of(drawn), snapshot("fake_manila")
    if drawn.encoding not in PAULI_ENCODINGS:
        return
    compiled = compile_head(to_qiskit(head.spec.measurement_circuit, head.spec.qubits)[0], backend)
    none = Errors({}, dict.fromkeys(range(backend.num_qubits), (0.0, 0.0)))
    runs = [run for run in (simulated(head.spec, one, none) for one in compiled[:4]) if run is not None]
    assert runs, "no candidate keeps the data in front"
    angles = head.spec.encoding.angles(np.array([drawn.features]), np, WIDTH).astype(np.float32)
    weights = tf.constant(drawn.weights, tf.float32)
    for run in runs:
        found = differentiated(run)(tf.constant(angles), weights, tf.zeros(2, tf.int32), 0)[0]
        # Qiskit's compiler makes several times as many gates.
        np.testing.assert_allclose(found, drawn.expectations(), atol=10 * rounding(head))


@pytest.mark.usefixtures("own_words")
def test_a_control_on_0_of_the_first_report():
    """RX(pi) on qubit 1 where qubit 0 is 0: <Z> = 1 and -1, on every route."""
    control = Step("rx", (1,), controls=(0,), words=((0,),), weight=0)
    drawn = Drawn(((control,),), (1,), "angle", ((("Z", 0),), (("Z", 1),)), False, (0.0, 0.0, 0.0), (np.pi,))
    np.testing.assert_allclose(drawn.expectations(), [1, -1], atol=1e-12)
    register_ansatz("drawn", min_width=WIDTH)(lambda q, w, n: drawn.gates(q, w, 0))
    for simulator in ("xla", "tfq"):
        for mode in GRADIENTS:
            head = head_of(drawn, simulator=simulator, gradient=mode)
            np.testing.assert_allclose(head(np.zeros((1, 3), np.float32))[0], [1, -1], atol=rounding(head))
