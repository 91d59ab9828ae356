"""Inputs and outputs of a head: dtypes, axes, large angles, NaN; the same for each simulator, model and mode."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import expectations

from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.encodings import ENCODINGS

SIMULATORS = ("xla", "tfq")
# Exact in every dtype, so that any difference comes from the head.
QUARTERS = np.array([[0.25, 1.5], [3.0, 0.75], [2.25, 2.0]])
# Half a unit in the last place for numbers from 1/2 to 1.
HALF_UNIT = {"float16": 2**-12, "bfloat16": 2**-9, "float32": 2**-25, "float64": 2**-54}
MODES = [
    {},
    {"gradient": "parameter_shift"},
    {"shots": 20},
    {"shots": 20, "gradient": "parameter_shift"},
    {"shots": 20, "gradient": "two_term"},
    {"shots": 20, "gradient": "spsa"},
]


class SubclassedModel(keras.Model):
    def __init__(self, head, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def call(self, inputs):
        return self.head(inputs)


def functional(head):
    inputs = keras.Input((2,), dtype="float32")
    return keras.Model(inputs, head(inputs))


BUILDERS = {
    "functional": functional,
    "sequential": lambda head: keras.Sequential([keras.Input((2,)), head]),
    "subclassed": SubclassedModel,
}


@pytest.fixture(params=["float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16", "float32"])
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield keras.config.dtype_policy()
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_inputs_of_every_type_under_every_policy(policy, simulator):
    head = QuantumHead(2, "ring", 1, simulator=simulator, seed=1)
    for dtype in ("float16", "bfloat16", "float32", "float64", "int8", "int32", "uint8"):
        inputs = tf.cast(QUARTERS, dtype)
        outputs = head(inputs)
        judge = expectations(head.spec, tf.cast(inputs, tf.float64).numpy(), head.parameters.numpy().astype(float))
        assert outputs.dtype == policy.compute_dtype and head.parameters.dtype == "float32"
        np.testing.assert_allclose(tf.cast(outputs, tf.float64), judge, atol=HALF_UNIT[policy.compute_dtype] + 1e-5)


@pytest.mark.parametrize("builder", BUILDERS)
def test_models_of_every_kind_train_under_every_policy(policy, builder):
    simulator = SIMULATORS[(len(builder) + len(policy.name)) % 2]  # each gets all kinds, and half of the policies
    head = QuantumHead(2, "ring", 1, simulator=simulator, seed=1)
    model = BUILDERS[builder](head)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    before = head.parameters.numpy().copy()
    model.fit(QUARTERS.astype("float32"), np.zeros((3, 2)), epochs=1, verbose=0)
    assert np.all(np.isfinite(head.parameters.numpy())) and np.any(head.parameters.numpy() != before)
    predictions = model.predict(tf.constant(QUARTERS, tf.float32), verbose=0)
    judge = expectations(head.spec, QUARTERS, head.parameters.numpy().astype(float))
    # QUARTERS are exact in half precision, so only the output is rounded.
    np.testing.assert_allclose(predictions.astype(float), judge, atol=HALF_UNIT[policy.compute_dtype] + 1e-5)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_takes_every_dtype(encoding):
    head = QuantumHead(2, "ring", 1, encoding, simulator="tfq", seed=1)
    inputs = 1 + np.arange(3 * head.spec.input_size).reshape(3, -1) % 3
    judge = expectations(head.spec, inputs, head.parameters.numpy().astype(float))
    for dtype in ("float16", "float64", "int32"):
        np.testing.assert_allclose(head(inputs.astype(dtype)), judge, atol=1e-5)


@pytest.mark.parametrize("axes", [(5,), (2, 3), (1, 2, 3), (0,), (2, 0)])
def test_leading_axes_are_kept(axes):
    head = QuantumHead(2, "ring", 1, observables="z_zz", simulator="tfq", seed=1)
    angles = np.random.default_rng(0).uniform(0, np.pi, (*axes, 2)).astype(np.float32)
    judge = expectations(head.spec, angles.reshape(-1, 2), head.parameters.numpy().astype(float)) if angles.size else []
    for outputs in (head(angles), head.predict(angles), tf.function(head)(angles)):
        assert outputs.shape == (*axes, 3)
        np.testing.assert_allclose(outputs, np.reshape(judge, (*axes, 3)), atol=1e-5)
    symbolic = head(keras.KerasTensor((None, *axes[1:], 2)))
    assert symbolic.shape == (None, *axes[1:], 3) == head.compute_output_shape((None, *axes[1:], 2))


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_sequences_train_in_a_model(simulator, tmp_path):
    head = QuantumHead(2, "ring", 1, simulator=simulator, seed=1)
    model = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(2), head, keras.layers.LSTM(2)])
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 5, 3)), np.zeros((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    rows = np.ones((2, 7, 3), np.float32)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(rows), model(rows))


def test_lengths_unknown_when_traced_are_checked_at_run_time():
    head = QuantumHead(2, "ring", 1, seed=1)
    traced_head = tf.function(head, input_signature=[tf.TensorSpec((None, None), tf.float32)])
    np.testing.assert_allclose(traced_head(tf.constant(QUARTERS, tf.float32)), head(QUARTERS), atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[2,6\]"):
        traced_head(tf.zeros((2, 6)))  # must not be reshaped to six rows of two


WRONG = {
    "shape": (np.zeros((2, 3)), "must be given 2 numbers a row, shape (n, 2) or with more axes in front; got (2, 3)."),
    "one axis": (np.zeros(2), "must be given 2 numbers a row, shape (n, 2) or with more axes in front; got (2,)."),
    "list": ([[0.0, 1.0]], "a quantum head must be given a dense array or tensor; got 'list'."),
    "sparse": (tf.sparse.from_dense([[0.0, 1.0]]), "must be given a dense array or tensor; got 'SparseTensor'."),
    "complex": (np.zeros((2, 2), complex), "a quantum head must be given real numbers; got an array of complex128."),
    "text": (np.array([["a", "b"]]), "a quantum head must be given real numbers; got an array of string."),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("route", ["call", "predict"])
def test_invalid_inputs_are_refused_in_one_line(wrong, route):
    head = QuantumHead(2, "ring", 1)
    inputs, sentence = WRONG[wrong]
    with pytest.raises(UserError) as error:
        (head if route == "call" else head.predict)(inputs)
    assert str(error.value).endswith(sentence) and "\n" not in str(error.value)


def test_models_refuse_another_width_when_they_are_built():
    inputs = keras.Input((5,))
    for make in (lambda: QuantumHead(4)(inputs), lambda: keras.Sequential([inputs, QuantumHead(4)])):
        with pytest.raises(UserError, match=r"must be given 4 numbers a row, .*; got \(None, 5\)\.$"):
            make()
    with pytest.raises(UserError, match=r"of width 2 with the encoding 'amplitude' must be given 4 numbers a row"):
        QuantumHead(2, encoding="amplitude").build((None, 2))


# cos of the float32 itself, in double precision: every rotation is right within the rounding of the simulator.
@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("encoding", ["angle", "angle_y"])
def test_finite_angles_of_any_magnitude_are_rotations(simulator, encoding):
    head = QuantumHead(2, "ring", 1, encoding, simulator=simulator)
    head.parameters.assign(np.zeros(4))  # the ring is the identity then
    sizes = np.array([-0.1, 3.3, 20.0, 1e3, 1e5, 1e7, 1e20, 3e38])
    angles = np.stack([sizes, -0.7 * sizes], axis=1).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), head])
    for outputs in (head(angles), head.predict(angles), model.predict(angles, verbose=0), tf.function(head)(angles)):
        np.testing.assert_allclose(outputs, np.cos(angles.astype(float)), atol=1e-5)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_angles_whole_turns_apart_have_the_same_gradient(simulator):
    head = QuantumHead(2, "ring", 2, simulator=simulator, seed=1)
    near = tf.constant(QUARTERS, tf.float32)
    slopes = []
    for angles in (near, near + 64 * np.pi):
        with tf.GradientTape() as tape:
            tape.watch(angles)
            total = tf.reduce_sum(head(angles) ** 2)
        slopes.append(tape.gradient(total, angles))
    # float32 near 64 pi = 201 is rounded by up to 2^-17; the gradient of two squares changes by up to 4 times that.
    np.testing.assert_allclose(*slopes, atol=4 * 2**-17 + 2e-5)


@pytest.mark.parametrize(("simulator", "encoding"), [("xla", "angle"), *(("tfq", encoding) for encoding in ENCODINGS)])
def test_a_row_that_is_not_finite_gives_nan_by_every_route(encoding, simulator):
    head = QuantumHead(2, "ring", 1, encoding, simulator=simulator, seed=1)
    bad = np.array([np.nan, np.inf, -np.inf, 1e300, 1.0])  # 1e300 is infinite in float32
    angles = np.ones((5, head.spec.input_size))
    angles[:, 1] = bad
    model, single = keras.Sequential([keras.Input((head.spec.input_size,)), head]), tf.cast(angles, tf.float32)
    for outputs in (head(angles), head.predict(angles), model.predict(single, verbose=0), tf.function(head)(angles)):
        np.testing.assert_array_equal(np.isnan(outputs), [[True] * 2] * 4 + [[False] * 2])


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_nan_is_nan_in_every_mode_and_reaches_the_gradients(mode, simulator):
    """Shots drawn from NaN probabilities would look like any other shots, and hide that a run has diverged."""
    head = QuantumHead(2, "ring", 1, simulator=simulator, seed=1, **mode)
    angles = np.ones((3, 2), np.float32)
    angles[1, 0] = np.nan
    with tf.GradientTape() as tape:
        outputs = head(angles)
        loss = tf.reduce_mean(outputs**2)
    np.testing.assert_array_equal(np.isnan(outputs)[:, 0], [False, True, False])
    np.testing.assert_array_equal(np.isnan(head.predict(angles))[:, 0], [False, True, False])
    assert np.all(np.isnan(tape.gradient(loss, head.parameters)))
    head.parameters.assign(np.full(4, np.nan))
    assert np.all(np.isnan(head(np.ones((2, 2), np.float32))))
    assert np.all(np.isnan(head.predict(np.ones((2, 2), np.float32))))


def test_training_on_nan_is_seen_in_the_loss():
    model = keras.Sequential([keras.Input((2,)), QuantumHead(2, "ring", 1, shots=20, gradient="spsa", seed=1)])
    model.compile("sgd", "mse")
    rows = np.full((4, 2), np.nan, np.float32)
    assert np.isnan(model.fit(rows, np.zeros((4, 2)), verbose=0).history["loss"][0])
