"""Exact noise against Cirq's density matrices in double precision: values, gradients, shots, limits."""

import cirq
import numpy as np
import pytest
import sympy
import tensorflow as tf
from judges.cirq_values import symbol_values
from scipy.stats import chi2

from qssl_tf.errors import UserError
from qssl_tf.models import quantum_head as head_module
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum import pauli_simulator, simulators
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.custom_ansatz import register_ansatz
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.noise import CHANNELS, READOUT
from qssl_tf.quantum.observables import basis_change, support_mask
from qssl_tf.quantum.pauli_simulator import differentiated, simulation
from qssl_tf.quantum.simulators import choose_simulator
from qssl_tf.quantum.spec import circuit_spec

WORDS = "depolarizing=0.02,amplitude_damping=0.05,phase_damping=0.03,depolarizing_2q=0.04,readout=0.06"
NO_SEED, FIRST_ROW = tf.zeros(2, tf.int32), tf.constant(0)


def numbers(spec, rows=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-3, 3, (rows, len(spec.inputs))), rng.uniform(-3, 3, len(spec.weights))


def outcomes_by_cirq(spec, measurement, angles, weights):
    """Probabilities of the outcomes of each row, shape (n, 2^width)."""
    circuit = measurement.executed_circuit(spec) + basis_change(spec.observables) + measurement.readout_circuit(spec)
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    found = [
        simulator.simulate(circuit, values, qubit_order=spec.qubits).final_density_matrix
        for values in symbol_values(spec, angles, weights)
    ]
    return np.array([np.diag(density).real for density in found])


def by_cirq(spec, measurement, angles, weights):
    bits = (np.arange(2 ** len(spec.qubits))[:, None] >> np.arange(len(spec.qubits))[::-1]) & 1
    values = 1 - 2 * (bits @ support_mask(spec.observables, spec.qubits) % 2)
    return outcomes_by_cirq(spec, measurement, angles, weights) @ values


def ours(spec, measurement, angles, weights):
    run = differentiated(simulation(spec, measurement))
    inputs, theta = tf.constant(angles, tf.float32), tf.constant(weights, tf.float32)
    return run(inputs, theta, NO_SEED, FIRST_ROW).numpy()


CASES = [
    (ansatz, width, encoding)
    for ansatz, entry in ANSATZE.items()
    for width, encoding in zip(range(entry.min_width, 7), 3 * ["angle", "angle_y"], strict=False)
] + [("none", 1, "angle")]


@pytest.mark.parametrize(("ansatz", "width", "encoding"), CASES)
def test_values_are_those_of_density_matrices(ansatz, width, encoding):
    spec = circuit_spec(width, ansatz, 2, encoding, "z_zz", mid_circuit_measurement=width > 1)
    measurement = Measurement(noise=WORDS, partial_measurement=width > 1)
    angles, weights = numbers(spec)
    np.testing.assert_allclose(
        ours(spec, measurement, angles, weights), by_cirq(spec, measurement, angles, weights), atol=1e-5
    )


@pytest.mark.parametrize("level", ["gate", "layer"])
@pytest.mark.parametrize("channel", [*CHANNELS, *READOUT])
def test_each_channel_alone(channel, level):
    spec = circuit_spec(4, "ring", 2, "angle", "X0,X0Y1,Z2Z3")
    measurement = Measurement(noise=f"{channel}=0.17", noise_level=level)
    angles, weights = numbers(spec)
    np.testing.assert_allclose(
        ours(spec, measurement, angles, weights), by_cirq(spec, measurement, angles, weights), atol=1e-5
    )


@pytest.mark.parametrize("ansatz", ANSATZE)
def test_gradients_are_central_differences_of_density_matrices(ansatz):
    width = max(3, ANSATZE[ansatz].min_width)
    spec = circuit_spec(width, ansatz, 2)
    measurement, rng = Measurement(noise=WORDS), np.random.default_rng(1)
    angles, weights = numbers(spec, rows=2)
    mix = rng.normal(size=(2, len(spec.observables)))
    inputs, theta = tf.constant(angles, tf.float32), tf.constant(weights, tf.float32)
    run = differentiated(simulation(spec, measurement))
    with tf.GradientTape() as tape:
        tape.watch([inputs, theta])
        total = tf.reduce_sum(run(inputs, theta, NO_SEED, FIRST_ROW) * tf.constant(mix, tf.float32))
    by_inputs, by_weights = (np.asarray(part) for part in tape.gradient(total, [inputs, theta]))

    def slope(x, w):
        ahead, back = (np.sum(mix * by_cirq(spec, measurement, angles + way * x, weights + way * w)) for way in (1, -1))
        return (ahead - back) / 2e-4

    for place in rng.choice(width, 2, replace=False):
        step = np.zeros_like(angles)
        step[1, place] = 1e-4
        assert by_inputs[1, place] == pytest.approx(slope(step, 0), abs=3e-4)
    for place in rng.choice(len(weights), min(5, len(weights)), replace=False):
        assert by_weights[place] == pytest.approx(slope(0, 1e-4 * np.eye(len(weights))[place]), abs=3e-4)


def test_gates_on_three_qubits_keep_their_place(own_words):
    """A gate on qubits 0, 1 and 2 behind one on 0 and 1 and one on 1 and 3, which do not commute."""

    @register_ansatz("pauli_three", min_width=4)
    def gates(qubits, weights, number):
        yield cirq.ry(next(weights))(qubits[1]).controlled_by(qubits[0])
        yield cirq.rx(next(weights))(qubits[3]).controlled_by(qubits[1])
        yield cirq.ry(next(weights))(qubits[2]).controlled_by(qubits[0], qubits[1])
        yield cirq.XXPowGate(exponent=next(weights) / sympy.pi, global_shift=-0.5)(qubits[2], qubits[0])

    spec, measurement = circuit_spec(4, "pauli_three", 2, "angle", "z_zz"), Measurement(noise=WORDS)
    angles, weights = numbers(spec)
    np.testing.assert_allclose(
        ours(spec, measurement, angles, weights), by_cirq(spec, measurement, angles, weights), atol=1e-5
    )


def test_no_noise_is_the_head_without_noise():
    angles = np.random.default_rng(0).uniform(0, np.pi, (9, 4)).astype(np.float32)
    heads = [QuantumHead(4, seed=2, **options) for options in ({}, {"noise": "depolarizing=0.0", "simulator": "pauli"})]
    np.testing.assert_allclose(heads[0](angles), heads[1](angles), atol=1e-5)


def test_full_depolarization_leaves_nothing():
    head = QuantumHead(3, noise="depolarizing=0.75", seed=2)  # Cirq's 3/4 makes every state the mixed one
    np.testing.assert_allclose(
        head(np.random.default_rng(0).uniform(0, np.pi, (5, 3)).astype(np.float32)), 0, atol=1e-6
    )


def test_shots_come_from_the_exact_noisy_distribution():
    """Chi-square of all outcomes, and the multinomial covariance of the observables, which share their shots."""
    spec, shots, rows = circuit_spec(3, "ring", 1, "angle", "z_zz"), 50, 4000
    measurement = Measurement(shots=shots, noise=WORDS)
    angles, weights = numbers(spec, rows=1)
    run, chances = simulation(spec, measurement), outcomes_by_cirq(spec, measurement, angles, weights)[0]
    inputs = tf.constant(np.repeat(angles, rows, axis=0), tf.float32)
    values = run.estimate(*run.angles(inputs, tf.constant(weights, tf.float32)), tf.constant([3, 4]), FIRST_ROW).numpy()
    bits = (np.arange(8)[:, None] >> np.arange(3)[::-1]) & 1
    signs = 1 - 2 * (bits @ support_mask(spec.observables, spec.qubits) % 2)  # (8, 6)
    # z and zz of three qubits, with 1 and zzz missing, fix counts only up to one number: compare moments instead.
    mean, covariance = chances @ signs, (signs.T * chances) @ signs - np.outer(chances @ signs, chances @ signs)
    off = values.mean(axis=0) - mean
    statistic = rows * shots * off @ np.linalg.solve(covariance, off)
    assert statistic < chi2.ppf(0.9999, len(off))
    spread = np.cov(values.T) * shots
    assert np.abs(spread - covariance).max() < 6 * np.abs(covariance).max() * np.sqrt(2 / rows)


def test_shift_rules_are_exact_without_shots_and_unbiased_with_them():
    angles = tf.constant(np.random.default_rng(0).uniform(0, np.pi, (300, 3)), tf.float32)
    gradients = []
    for options in ({}, {"gradient": "parameter_shift"}, {"gradient": "parameter_shift", "shots": 200}):
        head = QuantumHead(3, "ring", 1, noise=WORDS, seed=5, **options)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(head(angles) @ [[1.0], [-0.5], [0.7]])
        gradients.append(tape.gradient(loss, head.parameters).numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], atol=1e-5)
    # A term has at most the variance (sum of |mix|)^2 / shots, the squares of a gate's coefficients add up to 1/2.
    assert np.abs(gradients[2] - gradients[0]).max() < 5 * 2.2 * np.sqrt(0.5 / 200 / 300)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "xla"),
        ({"noise": "readout=0.1"}, "pauli"),
        ({"noise": "readout=0.1", "shots": 10, "gradient": "parameter_shift"}, "pauli"),
        ({"noise": "readout=0.1", "shots": 10, "gradient": "spsa"}, "tfq"),
    ],
)
def test_auto_takes_the_exact_way_where_it_can(options, chosen):
    assert choose_simulator("auto", Measurement(**options), 4, "angle") == chosen
    if options.get("gradient") == "parameter_shift":
        assert choose_simulator("auto", Measurement(**options), 4, "zz") == "tfq"
        assert choose_simulator("auto", Measurement(**options), 13, "angle") == "tfq"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"encoding": "zz"},
            "`noise` must come with `shots` and a `gradient` of parameter_shift, two_term or spsa here, since exact "
            "noise needs an encoding that turns each qubit once, angle or angle_y, and this is zz, so each shot is one "
            "random trajectory; got `shots` none and `gradient` adjoint.",
        ),
        (
            {"encoding": "reuploading", "shots": 10},
            "`noise` must come with `shots` and a `gradient` of parameter_shift, two_term or spsa here, since exact "
            "noise needs an encoding that turns each qubit once, angle or angle_y, and this is reuploading, so each "
            "shot is one random trajectory; got `shots` 10 and `gradient` adjoint.",
        ),
        (
            {"simulator": "pauli", "encoding": "zz"},
            "`simulator` must be another than pauli: exact noise needs an encoding that turns each qubit once, angle "
            "or angle_y, and this is zz; got 'pauli'.",
        ),
        (
            {"simulator": "tfq"},
            "`noise` must come with `shots` and a `gradient` of parameter_shift, two_term or spsa here, since tfq "
            "samples noise, so each shot is one random trajectory; got `shots` none and `gradient` adjoint.",
        ),
    ],
)
def test_what_cannot_be_is_said_with_its_reason(options, sentence):
    with pytest.raises(UserError) as caught:
        QuantumHead(3, **({"noise": "readout=0.1"} | options))
    assert str(caught.value) == sentence


def test_coefficients_beyond_memory_are_refused(monkeypatch):
    monkeypatch.setattr(pauli_simulator, "available", lambda: 10**6)
    monkeypatch.setattr(simulators, "available", lambda: 10**12)
    with pytest.raises(UserError, match=r"^`width` 7 needs about [\d.]+ GB of memory for the coefficients of 7 obs"):
        QuantumHead(7, noise="readout=0.1")


def test_auto_samples_noise_where_exact_noise_needs_more_memory_than_there_is(monkeypatch):
    options = {"noise": "readout=0.1", "shots": 10, "gradient": "parameter_shift"}
    monkeypatch.setattr(head_module, "available", lambda: 10**5)
    monkeypatch.setattr(simulators, "available", lambda: 10**12)
    monkeypatch.setattr(QuantumHead, "_tfq_expectations", lambda *_: "trajectories")
    assert QuantumHead(7, **options).expectations == "trajectories"
