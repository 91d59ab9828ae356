"""All gradients of a circuit against central differences of Cirq's double-precision simulator."""

import cirq
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import expectations

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.gatewise import gatewise
from qssl_tf.quantum.gradient_rules import FOUR_TERMS, TWO_TERMS, shift_terms
from qssl_tf.quantum.measurement import GRADIENTS

BOTH = pytest.mark.parametrize("simulator", ["tfq", "xla"])
EXACT_MODES = [mode for mode in GRADIENTS if mode not in ("two_term", "spsa")]


def gradients(head, angles, mix):
    inputs = tf.constant(angles)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(head(inputs) * tf.constant(mix, tf.float32))
    return [gradient.numpy() for gradient in tape.gradient(total, [inputs, head.parameters])]


def slopes(head, angles, mix, step=1e-4):
    """Central differences by inputs and by weights."""
    weights = head.parameters.numpy().astype(float)

    def value(x, w):
        return float(np.sum(mix * expectations(head.spec, x, w)))

    by_inputs = np.zeros(angles.shape)
    for index in np.ndindex(angles.shape):
        shift = np.zeros(angles.shape)
        shift[index] = step
        by_inputs[index] = (value(angles + shift, weights) - value(angles - shift, weights)) / (2 * step)
    eye = np.eye(len(weights)) * step
    by_weights = [(value(angles, weights + e) - value(angles, weights - e)) / (2 * step) for e in eye]
    return by_inputs, np.array(by_weights)


def case(head, rows, seed=0):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0.2, 2.9, (rows, head.spec.input_size)).astype(np.float32)
    return angles, rng.normal(size=(rows, len(head.spec.observables)))


COMBINATIONS = [
    ("ring", "angle", "z"),
    ("sim13", "angle", "z"),
    ("sim19", "reuploading", "z"),
    ("farhi", "angle_y", "z_zz"),
    ("all_to_all", "zz", "X0,Y1X2"),
    ("strongly_entangling", "amplitude", "z"),
]


@BOTH
@pytest.mark.parametrize("gradient", EXACT_MODES)
@pytest.mark.parametrize(("ansatz", "encoding", "observables"), COMBINATIONS)
def test_exact_rules_are_central_differences(simulator, gradient, ansatz, encoding, observables):
    width = 4 if ansatz == "sim13" else 3
    head = QuantumHead(width, ansatz, 2, encoding, observables, gradient=gradient, simulator=simulator, seed=2)
    angles, mix = case(head, rows=2)
    for ours, judge in zip(gradients(head, angles, mix), slopes(head, angles, mix), strict=True):
        np.testing.assert_allclose(ours, judge, atol=3e-4)


@BOTH
@pytest.mark.parametrize("gradient", EXACT_MODES)
def test_a_batch_is_the_sum_of_its_rows(simulator, gradient):
    head = QuantumHead(3, "ring", 1, gradient=gradient, simulator=simulator, seed=1)
    angles, mix = case(head, rows=5)
    by_inputs, by_weights = gradients(head, angles, mix)
    singles = [gradients(head, angles[k : k + 1], mix[k : k + 1]) for k in range(5)]
    np.testing.assert_allclose(by_inputs, np.concatenate([single[0] for single in singles]), atol=1e-5)
    np.testing.assert_allclose(by_weights, sum(single[1] for single in singles), atol=1e-5)


@BOTH
def test_the_published_rule_multiplies_the_half_frequency_part_by_sqrt_2(simulator):
    """<Z_1> of |+>|0> under CRX(theta): (1 + cos theta) / 2; <Z_1> <X-like control>: its half-frequency twin."""
    head = QuantumHead(2, "ring", 1, observables="X0,Z1", simulator=simulator, gradient="two_term")
    exact = QuantumHead(2, "ring", 1, observables="X0,Z1", simulator=simulator, gradient="parameter_shift")
    # RY(pi/2) on the control makes |+>; qubit 1 stays |0>. After CRX: <X_0> = cos(theta/2), pure half frequency.
    weights = np.array([np.pi / 2, 0.0, 0.9, 0.0], np.float32)
    angles = np.zeros((1, 2), np.float32)
    for layer in (head, exact):
        layer.parameters.assign(weights)
    half, full = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert abs(gradients(exact, angles, half)[1][2] - -0.5 * np.sin(0.45)) < 1e-5
    assert abs(gradients(head, angles, half)[1][2] - -np.sqrt(0.5) * np.sin(0.45)) < 1e-5
    for layer in (head, exact):  # <Z_1> = (1 + cos theta) / 2 has frequency 1 only: both rules agree
        assert abs(gradients(layer, angles, full)[1][2] - -0.5 * np.sin(0.9)) < 1e-5


@pytest.mark.parametrize("terms", [TWO_TERMS, FOUR_TERMS])
@pytest.mark.parametrize("frequency", [0.5, 1.0])
def test_terms_differentiate_their_frequencies(terms, frequency):
    theta = np.linspace(-3, 3, 7)
    derivative = sum(coefficient * np.sin(frequency * (theta + shift)) for shift, coefficient in terms)
    is_exact = np.allclose(derivative, frequency * np.cos(frequency * theta))
    assert is_exact == (len(terms) == 4 or frequency == 1.0)


@BOTH
def test_spsa_is_right_on_average(simulator):
    head = QuantumHead(2, "ring", 1, gradient="spsa", simulator=simulator, seed=3)
    angles, mix = case(head, rows=1)
    many = np.repeat(angles, 4000, axis=0)  # each row has its own signs
    by_inputs, _ = gradients(head, many, np.repeat(mix, 4000, axis=0))
    judge, _ = slopes(head, angles, mix)
    error = by_inputs.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(by_inputs.mean(axis=0) - judge[0]) < 5 * error + 5e-3)  # the bias is of the order step^2


def test_one_symbol_per_gate_keeps_the_circuit():
    head = QuantumHead(3, "sim19", 2, "reuploading")
    symbols = head.spec.inputs + head.spec.weights
    parts = gatewise(head.spec.circuit, symbols)
    values = np.random.default_rng(0).normal(size=len(symbols)).astype(np.float32)
    angles = values @ parts.matrix + parts.offset
    names = dict(zip(parts.names, map(float, angles), strict=True))
    ours = cirq.resolve_parameters(parts.circuit, names).unitary()
    circuit = cirq.resolve_parameters(head.spec.circuit, dict(zip(symbols, map(float, values), strict=True)))
    np.testing.assert_allclose(ours, circuit.unitary(), atol=1e-6)
    gates, _, _ = shift_terms(parts)
    assert np.bincount(gates).tolist() == [4 if controlled else 2 for controlled in parts.controlled]


# Finite shots: statistics over many independent estimates, judged at five standard errors.


def many_estimates(head, angles, repeats):
    return head(np.repeat(angles, repeats, axis=0)).numpy()


@BOTH
@pytest.mark.parametrize("observables", ["z", "z_zz", "X0,Y1X2"])
def test_sampled_expectations_are_unbiased_with_the_covariance_of_shared_shots(simulator, observables):
    shots, repeats = 50, 4000
    head = QuantumHead(
        3, "ring", 2, observables=observables, shots=shots, gradient="parameter_shift", simulator=simulator, seed=1
    )
    angles, _ = case(head, rows=1)
    estimates = many_estimates(head, angles, repeats)
    mean = expectations(head.spec, angles, head.parameters.numpy())[0]
    assert np.all(np.abs(estimates.mean(axis=0) - mean) < 5 * np.sqrt((1 - mean**2) / shots / repeats) + 1e-4)
    products = [[a * b for b in head.spec.observables] for a in head.spec.observables]
    second = expectations(head.spec, angles, head.parameters.numpy(), observables=sum(products, []))
    covariance = (second.reshape(len(mean), len(mean)) - np.outer(mean, mean)) / shots
    standard_error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / repeats)
    assert np.all(np.abs(np.cov(estimates.T) - covariance) < 5 * standard_error + 1e-6)


@BOTH
@pytest.mark.parametrize("gradient", ["adjoint", "parameter_shift", "spsa"])
def test_sampled_gradients_are_unbiased(simulator, gradient):
    head = QuantumHead(2, "ring", 1, shots=100, gradient=gradient, simulator=simulator, seed=4)
    angles, mix = case(head, rows=1)
    by_inputs, _ = gradients(head, np.repeat(angles, 600, axis=0), np.repeat(mix, 600, axis=0))
    judge, _ = slopes(head, angles, mix)
    error = by_inputs.std(axis=0) / np.sqrt(600)
    bias = 5e-3 if gradient == "spsa" else 1e-4
    assert np.all(np.abs(by_inputs.mean(axis=0) - judge[0]) < 5 * error + bias)


@BOTH
def test_gradient_variance_falls_with_the_number_of_shots(simulator):
    variances = []
    for shots in (20, 80):
        head = QuantumHead(2, "ring", 1, shots=shots, gradient="parameter_shift", simulator=simulator, seed=4)
        angles, mix = case(head, rows=1)
        by_inputs, _ = gradients(head, np.repeat(angles, 1500, axis=0), np.repeat(mix, 1500, axis=0))
        variances.append(by_inputs.var(axis=0).mean())
    assert 3.3 < variances[0] / variances[1] < 4.8


@BOTH
def test_twelve_qubits_are_read_in_their_order(simulator):
    """Names sort alphabetically, 0_10 before 0_2, so each qubit gets a different angle."""
    head = QuantumHead(12, "none", 1, shots=4000, gradient="parameter_shift", simulator=simulator)
    head.parameters.assign(np.zeros(12, np.float32))
    angles = np.linspace(0.1, 3.0, 12, dtype=np.float32)[np.newaxis]
    np.testing.assert_allclose(head(angles)[0], np.cos(angles[0]), atol=5 / np.sqrt(4000))
