"""Noise against Cirq's density matrices; the measurement between layers against Qiskit's."""

import cirq
import numpy as np
import pytest
import sympy
import tensorflow as tf
from judges.cirq_values import symbol_values
from judges.qiskit_circuits import ansatz_circuit, encoding_circuit
from qiskit import ClassicalRegister
from qiskit_aer import AerSimulator

from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.noise import noisy_blocks, read_noise

ROWS, SHOTS = 40, 500
ERROR = 5 / np.sqrt(ROWS * SHOTS)


def noisy_head(noise="none", **options):
    return QuantumHead(3, "ring", 2, shots=SHOTS, gradient="parameter_shift", noise=noise, seed=1, **options)


ANGLES = np.array([[0.4, 1.3, 2.2]], np.float32)


def density_matrix_expectations(head, blocks, angles=ANGLES, weights=None):
    """Z expectations of a circuit with channels, without readout errors."""
    circuit = sum(blocks, cirq.Circuit())
    values = symbol_values(head.spec, angles, head.parameters.numpy() if weights is None else weights)[0]
    density = cirq.DensityMatrixSimulator(dtype=np.complex128).simulate(circuit, values, qubit_order=head.spec.qubits)
    order = {qubit: index for index, qubit in enumerate(head.spec.qubits)}
    return np.array(
        [p.expectation_from_density_matrix(density.final_density_matrix, order).real for p in head.spec.observables]
    )


@pytest.mark.parametrize("noise", ["depolarizing=0.05", "amplitude_damping=0.2", "phase_damping=0.3"])
@pytest.mark.parametrize("level", ["gate", "layer"])
def test_channels_are_cirqs(noise, level):
    head = noisy_head(noise, noise_level=level, simulator="tfq")
    judge = density_matrix_expectations(head, noisy_blocks(head.spec.blocks, read_noise(noise), level))
    clean = density_matrix_expectations(head, head.spec.blocks)
    ours = head(np.repeat(ANGLES, ROWS, axis=0)).numpy().mean(axis=0)
    assert np.all(np.abs(ours - judge) < ERROR)
    assert np.abs(clean - judge).max() > ERROR  # the noise is strong enough to be seen


def test_readout_errors_shrink_each_expectation():
    head, clean = noisy_head("readout=0.1"), noisy_head()
    judge = 0.8 * density_matrix_expectations(clean, clean.spec.blocks)
    assert np.all(np.abs(head(np.repeat(ANGLES, ROWS, axis=0)).numpy().mean(axis=0) - judge) < ERROR)


@pytest.mark.parametrize("simulator", ["tfq", "xla"])
def test_partial_measurement_is_a_measurement_between_the_layers(simulator):
    options = {"gradient": "parameter_shift", "partial_measurement": True, "simulator": simulator, "seed": 5}
    head = QuantumHead(4, "ring", 2, shots=SHOTS, **options)
    angles = np.array([0.4, 1.3, 2.2, 0.9])
    theta = head.parameters.numpy().astype(float)
    circuit = encoding_circuit("angle", 4, angles).compose(ansatz_circuit("ring", 4, 1, theta[:8]))
    for name in ("middle", "c"):
        circuit.add_register(ClassicalRegister(4, name))
    circuit.measure([0, 2], [0, 2])
    circuit = circuit.compose(ansatz_circuit("ring", 4, 1, theta[8:]), range(4))
    circuit.measure(range(4), range(4, 8))
    counts = AerSimulator(seed_simulator=7).run(circuit, shots=ROWS * SHOTS).result().get_counts()
    judge = np.zeros(4)
    for bits, count in counts.items():
        judge += count * (1 - 2 * np.array([int(bit) for bit in bits.split()[0][::-1]]))
    ours = head(np.repeat(angles[np.newaxis].astype(np.float32), ROWS, axis=0)).numpy().mean(axis=0)
    assert np.all(np.abs(ours - judge / (ROWS * SHOTS)) < 1.5 * ERROR)
    without_measurement = QuantumHead(4, "ring", 2, seed=5)(angles[np.newaxis].astype(np.float32))[0]
    assert np.abs(without_measurement - judge / (ROWS * SHOTS)).max() > 1.5 * ERROR


def test_gradients_through_the_measurement_are_those_of_the_density_matrix():
    options = {"gradient": "parameter_shift", "partial_measurement": True, "simulator": "xla", "seed": 5}
    head, rows, mix = QuantumHead(3, "ring", 2, shots=SHOTS, **options), 400, np.array([1.0, -0.5, 0.7])
    weights, angles = head.parameters.numpy().astype(float), ANGLES[0].astype(float)
    blocks = head.spec.blocks
    assert blocks[2] == cirq.Circuit(cirq.phase_flip(0.5).on_each(head.spec.qubits[0], head.spec.qubits[2]))

    def value(x, w):
        expectations = density_matrix_expectations(head, blocks, x[np.newaxis], w)
        return float(expectations @ mix)

    inputs = tf.constant(np.repeat(ANGLES, rows, axis=0))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(head(inputs) * tf.constant(mix, tf.float32)) / rows
    by_inputs, by_weights = tape.gradient(total, [inputs, head.parameters])
    # Each term has at most the variance |mix|^2 / shots; the squares of a gate's coefficients add up to at most 1/2.
    error = 5 * np.linalg.norm(mix, ord=1) * np.sqrt(0.5 / SHOTS / rows)
    for index in range(3):
        step = 1e-3 * np.eye(3)[index]
        judge = (value(angles + step, weights) - value(angles - step, weights)) / 2e-3
        assert abs(by_inputs.numpy()[:, index].sum() - judge) < error
    for index in (0, 4, 7, 10):  # RY and controlled RX, before and after the measurement
        step = 1e-3 * np.eye(len(weights))[index]
        judge = (value(angles, weights + step) - value(angles, weights - step)) / 2e-3
        assert abs(by_weights[index] - judge) < error


def test_training_under_noise_moves_downhill():
    import keras

    head = QuantumHead(2, "ring", 1, shots=200, gradient="parameter_shift", noise="depolarizing=0.01", seed=0)
    model = keras.Sequential([keras.Input((2,)), head])
    model.compile(keras.optimizers.Adam(0.2), "mse")
    angles = np.random.default_rng(0).uniform(0, np.pi, (8, 2)).astype(np.float32)
    history = model.fit(angles, -np.ones((8, 2)), epochs=12, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise": "depolarizing=1.5"}, "`noise` must give 'depolarizing' a probability from 0 to 1"),
        ({"noise": "depolarising=0.1"}, "Did you mean 'depolarizing=P'?"),
        ({"noise": "readout"}, "`noise` must give 'readout' a probability from 0 to 1, as in readout=0.01; got ''."),
        ({"noise": "readout=0.1", "shots": None, "encoding": "zz"}, "`noise` must come with `shots`"),
        (
            {"partial_measurement": True, "shots": None, "simulator": "tfq"},
            "`partial_measurement` must come with `shots`",
        ),
        (
            {"partial_measurement": True, "gradient": "adjoint", "simulator": "tfq"},
            "`partial_measurement` must come with `shots`",
        ),
        (
            {"noise": "readout=0.1", "gradient": "adjoint", "encoding": "zz"},
            "`noise` must come with `shots`",
        ),
        ({"noise": "readout=0.1", "noise_level": "gates"}, "`noise_level` must be one of gate, layer; got 'gates'."),
        (
            {"partial_measurement": True, "layers": 1},
            "`layers` must be at least 2 with `partial_measurement`, which stands between two; got 1.",
        ),
        ({"shots": 0}, "`shots` must be at least 1 and at most 10000000; got 0."),
        ({"gradient": "finite"}, "`gradient` must be one of adjoint, parameter_shift, two_term, spsa; got 'finite'."),
    ],
)
def test_bad_combinations(options, sentence):
    with pytest.raises(UserError) as error:
        QuantumHead(**{"width": 3, "shots": 10, "gradient": "parameter_shift"} | options)
    assert sentence in str(error.value)


@pytest.mark.parametrize("simulator", ["pauli", "tfq"])
def test_a_0_and_a_1_are_misread_with_their_own_probabilities(simulator):
    """P(read 1) = P(0) e_0 + P(1) (1 - e_1), a classical channel on the outcomes of each qubit."""
    wrong = {"readout_0": 0.3, "readout_1": 0.05}
    noise = ",".join(f"{name}={value}" for name, value in wrong.items())
    head = noisy_head(noise, simulator=simulator)
    clean = density_matrix_expectations(head, head.spec.blocks)
    ones = (1 - clean) / 2
    judge = 1 - 2 * ((1 - ones) * wrong["readout_0"] + ones * (1 - wrong["readout_1"]))
    assert np.all(np.abs(head(np.repeat(ANGLES, ROWS, axis=0)).numpy().mean(axis=0) - judge) < ERROR)
    assert np.abs(clean - judge).max() > ERROR


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        (
            "readout=0.1,readout_1=0.2",
            "`noise` must give readout, or readout_0 and readout_1 in its place; "
            "got both in 'readout=0.1,readout_1=0.2'.",
        ),
        (
            "readout_0=0.6,readout_1=0.5",
            "`noise` must give readout_0 and readout_1 with a sum of at most 1; got 'readout_0=0.6,readout_1=0.5'.",
        ),
    ],
)
def test_readout_errors_that_cannot_be(noise, sentence):
    with pytest.raises(UserError) as error:
        read_noise(noise)
    assert str(error.value) == sentence


def test_a_gate_gets_the_same_noise_however_it_is_written():
    left, right = cirq.LineQubit.range(2)
    forms = {
        cirq.X: [
            cirq.CX(left, right),
            cirq.X(right).controlled_by(left),
            cirq.ControlledOperation([left], cirq.X(right)),
            cirq.ControlledGate(cirq.X)(left, right).with_tags("t"),
            cirq.ControlledOperation([left], cirq.X(right), [0]),
        ],
        cirq.Z: [cirq.CZ(left, right), cirq.ControlledGate(cirq.Z)(left, right)],
        cirq.Y: [cirq.Y(right).controlled_by(left)],
    }
    for gate, operations in forms.items():
        for operation in operations:
            (block,) = noisy_blocks([cirq.Circuit(operation)], {"depolarizing": 0.1}, "gate")
            channels = [one for one in block.all_operations() if one.gate == cirq.depolarize(0.1)]
            assert len(channels) == (4 if gate == cirq.Y else 2), operation


@pytest.mark.parametrize("level", ["gate", "layer"])
def test_over_rotation_is_all_angles_longer(level):
    """Angles and weights times 1.04 without noise are the judge, in values and, by the chain rule, in gradients."""
    further, plain = (
        QuantumHead(3, "ring", 2, noise=noise, noise_level=level, seed=1) for noise in ("over_rotation=0.04", "none")
    )
    x, longer = tf.constant(ANGLES), tf.constant(1.04 * ANGLES)
    plain.parameters.assign(1.04 * further.parameters)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(further(x) ** 2)
    with tf.GradientTape() as judge:
        total = tf.reduce_sum(plain(longer) ** 2)
    np.testing.assert_allclose(further(x), plain(longer), atol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(value, further.parameters.value), 1.04 * judge.gradient(total, plain.parameters.value), atol=1e-4
    )
    sampled = noisy_head("over_rotation=0.04", noise_level=level, simulator="tfq")
    sampled.parameters.assign(further.parameters)
    ours = sampled(np.repeat(ANGLES, ROWS, axis=0)).numpy().mean(axis=0)
    assert np.all(np.abs(ours - plain(longer)[0]) < ERROR)


def test_how_far_a_gate_turns_is_a_part():
    with pytest.raises(UserError) as error:
        read_noise("over_rotation=2")
    assert (
        str(error.value)
        == "`noise` must give 'over_rotation' a fraction from 0 to 1, as in over_rotation=0.01; got '2'."
    )


def test_a_gate_that_cannot_turn_further_is_named():
    qubit, angle = cirq.LineQubit(0), sympy.Symbol("t")
    gate = cirq.PhasedXZGate(x_exponent=angle, z_exponent=0.1, axis_phase_exponent=0.2)(qubit)
    with pytest.raises(UserError, match="^`noise` must leave over_rotation out here: PhXZ"):
        noisy_blocks([cirq.Circuit(gate)], read_noise("over_rotation=0.1"), "gate")
