import cirq
import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.qiskit_circuits import encoding_circuit

from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.spec import circuit_spec


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_states_are_qiskits(name, width):
    from qiskit.quantum_info import Statevector

    spec = circuit_spec(width, "none", 1, encoding=name)
    inputs = np.random.default_rng(width).uniform(0.1, np.pi, (1, spec.input_size)).astype(np.float32)
    angles = ENCODINGS[name].angles(inputs, np, width)[0]
    circuit = cirq.resolve_parameters(spec.blocks[0], dict(zip(spec.inputs, map(float, angles), strict=True)))
    ours = circuit.final_state_vector(qubit_order=spec.qubits, dtype=np.complex128)
    judge = Statevector(encoding_circuit(name, width, inputs[0])).reverse_qargs().data
    assert abs(abs(np.vdot(ours, judge)) - 1) < 1e-5  # up to a global phase


@pytest.mark.parametrize("name", ENCODINGS)
def test_angles_are_the_same_on_tensors_and_differentiable(name):
    width, count = 3, ENCODINGS[name].input_size(3)
    inputs = np.random.default_rng(0).uniform(0.2, 3, (4, count)).astype(np.float32)
    tensor = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        angles = ENCODINGS[name].angles(tensor, keras.ops, width)
        total = tf.reduce_sum(tf.sin(angles))
    np.testing.assert_allclose(angles, ENCODINGS[name].angles(inputs, np, width), atol=1e-5)
    gradient = tape.gradient(total, tensor).numpy()
    for index in [(0, 0), (3, count - 1)]:
        shift = np.zeros(inputs.shape)
        shift[index] = 1e-4
        ahead, behind = (np.sin(ENCODINGS[name].angles(inputs + s * shift, np, width)).sum() for s in (1, -1))
        assert abs(gradient[index] - (ahead - behind) / 2e-4) < 1e-3


def test_reuploading_precedes_each_layer():
    spec = circuit_spec(3, "ring", 2, encoding="reuploading")
    assert len(spec.blocks) == 4 and spec.blocks[0] == spec.blocks[2] != spec.blocks[1]
    assert len(circuit_spec(3, "ring", 2).blocks) == 3


@pytest.mark.parametrize("simulator", ["xla", "tfq"])
@pytest.mark.parametrize("size", [1.0, 1e-5, 1e-6, 1e-12, 1e-20])
def test_amplitudes_do_not_depend_on_the_scale_of_a_row(size, simulator):
    """<Z> of the state (cos t, sin t) is cos 2t; for [1, 0] it is 1."""
    head = QuantumHead(1, "none", 1, "amplitude", simulator=simulator)
    head.build((None, 2))
    head.parameters.assign([0.0])
    t = np.array([0.0, 0.3, np.pi / 4, 1.2, np.pi / 2])
    rows = size * np.stack([np.cos(t), np.abs(np.sin(t))], axis=1)
    np.testing.assert_allclose(head(rows.astype(np.float32))[:, 0], np.cos(2 * t), atol=1e-5)


def test_a_small_row_has_the_gradient_of_its_direction():
    """d cos(2 t) / d f of f = size (cos t, sin t) is -2 sin 2t (-sin t, cos t) / size."""
    size, t = 1e-6, 0.4
    inputs = tf.constant(size * np.array([[np.cos(t), np.sin(t)]]), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.cos(ENCODINGS["amplitude"].angles(inputs, keras.ops, 1))
    judge = -2 * np.sin(2 * t) * np.array([[-np.sin(t), np.cos(t)]]) / size
    np.testing.assert_allclose(tape.gradient(value, inputs), judge, rtol=1e-4)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_recipes_say_how_inputs_become_angles(width):
    """Each recipe, implemented literally."""
    f, n = np.random.default_rng(width).uniform(0.1, 3, 2**width), width
    x = np.zeros(2**n - 1)
    for level in range(n):
        t = []
        for b in range(2**level):
            part = f[b * 2 ** (n - level) : (b + 1) * 2 ** (n - level)]
            left, right = np.split(part, 2)
            t.append(2 * np.arctan2(np.linalg.norm(right), np.linalg.norm(left)))
        for r in range(2**level):
            x[2**level - 1 + r] = (
                sum((-1) ** (b & (r ^ (r >> 1))).bit_count() * t[b] for b in range(2**level)) / 2**level
            )
    np.testing.assert_allclose(ENCODINGS["amplitude"].angles(f[np.newaxis], np, n)[0], x, atol=1e-5)
    f = f[:n]
    pairs = [(f[i] - np.pi / 2) * (f[j] - np.pi / 2) for i in range(n) for j in range(i + 1, n)]
    np.testing.assert_allclose(ENCODINGS["zz"].angles(f[np.newaxis], np, n)[0], [*f, *pairs], atol=1e-6)
    for name in ("angle", "angle_y", "reuploading"):
        assert ENCODINGS[name].recipe == "x[i] = f[i]"
        np.testing.assert_array_equal(ENCODINGS[name].angles(f[np.newaxis], np, n)[0], f)


def test_amplitude_encoding_of_zeros_is_differentiable():
    inputs = tf.constant([[0.0, 0.0, 0.0, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        angles = ENCODINGS["amplitude"].angles(inputs, keras.ops, 2)
    assert np.all(np.isfinite(angles)) and np.all(np.isfinite(tape.gradient(angles, inputs)))
