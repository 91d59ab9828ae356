"""QuantumHead: TensorFlow Quantum's PQC layer on Keras 3, fed with the encoder's numbers instead of circuits."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq

from qssl_tf.arguments import unknown_argument
from qssl_tf.config import checked
from qssl_tf.distributed.replicas import replica_number, view_count
from qssl_tf.errors import UserError
from qssl_tf.quantum.frozen import MAX_FROZEN_WIDTH, frozen_expectations
from qssl_tf.quantum.inputs import check_inputs, check_shape, finite
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.pauli_simulator import pauli_expectations
from qssl_tf.quantum.simulators import choose_simulator, refuse_beyond_memory
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.tfq_simulator import tfq_expectations
from qssl_tf.quantum.xla_simulator import Expectations, bytes_of_states, xla_expectations

# Arguments of the parent that are decided here; `shots`, `gradient` and `simulator` say how the circuit is run.
DECIDED = {"autocast", *inspect.signature(tfq.layers.PQC).parameters} - {"regularizer", "constraint", "kwargs"}
# What every layer of Keras takes, and a layer with weights.
KERAS_ARGUMENTS = (
    "name", "dtype", "trainable", "activity_regularizer", "input_shape", "input_dim", "batch_shape",
    "batch_input_shape", "batch_size", "input_dtype", "regularizer", "constraint",
)  # fmt: skip


@keras.saving.register_keras_serializable(package="qssl_tf")
class QuantumHead(tfq.layers.PQC):
    """A parametrized quantum circuit between the encoder and its features (arXiv:2103.14653, Fig. 2).

    Input: real numbers of any type, shape (n, inputs), or with more axes in front: angles in radians, one for each
    qubit (`amplitude`: 2^width numbers, of which the sizes count). The encoder bounds its own to [0, pi]; any finite
    angle will do, as rotations repeat themselves.
    Output: the same axes with the observables as the last: expectations in [-1, 1], in the order of the observables.

    The circuit and its weights are float32 under every dtype policy; the output has the policy's compute type. A row
    with NaN or infinity, of float32, gives NaN.

    Weights start from a normal distribution with standard deviation 1 / sqrt(width), as the paper's.

    Args:
        width: Number of qubits.
        ansatz: Name in `ansatze.ANSATZE`.
        layers: Layers of the ansatz.
        encoding: Name in `encodings.ENCODINGS`.
        observables: `z` (Z of each qubit), `z_zz` (and of each pair), or products in one basis such as `Z0,X1X2`.
        shots: Measurements from which each expectation is estimated; None is exact.
        gradient: `adjoint` (exact, also behind sampled expectations), `parameter_shift` (exact rules, each term
            estimated from its own shots), `two_term` (the published rule, biased for controlled rotations) or `spsa`.
        noise: `none`, or channels with their probabilities, such as `depolarizing=0.01,readout=0.02`. Exact with the
            encodings angle and angle_y, with or without shots; sampled from trajectories elsewhere, which needs shots.
        noise_level: Channels after each `gate` or after each `layer`.
        partial_measurement: Measure every other qubit after the first layer; on `tfq` it needs shots and a gradient
            other than `adjoint`.
        simulator: `tfq`, `xla` or `pauli` (this package's own for states and for noise, on CPU or GPU), or `auto`, the
            fastest that can do it. Weights and checkpoints are the same.
        seed: Seed of the initial weights, of the shots of `xla` and of SPSA's signs; None draws one. They belong to the
            call and the row of the batch, the global one under a `tf.distribute` strategy.
        **kwargs: As every Keras layer's (`name`, `dtype`, ...); `regularizer` and `constraint` of the weights.

    Raises:
        UserError: An argument of the wrong type or out of range, an unknown name, a combination that does not exist,
            or inputs that are no numbers of a fitting shape.
    """

    def __init__(
        self,
        width: int = 8,
        ansatz: str = "ring",
        layers: int = 2,
        encoding: str = "angle",
        observables: str = "z",
        shots: int | None = None,
        gradient: str = "adjoint",
        noise: str = "none",
        noise_level: str = "gate",
        partial_measurement: bool = False,
        simulator: str = "auto",
        seed: int | None = None,
        **kwargs: Any,
    ):
        """Build the circuit and the weights."""
        _check_parents(kwargs)
        width, layers, shots = checked("width", width), checked("layers", layers), checked("shots", shots)
        seed = None if seed is None else checked("seed", seed)
        words = {"ansatz": ansatz, "encoding": encoding, "observables": observables, "gradient": gradient}
        words |= {"noise": noise, "noise_level": noise_level, "simulator": simulator}
        for name, value in (words | {"partial_measurement": partial_measurement}).items():
            checked(name, value)
        measured = Measurement(shots, gradient, noise, noise_level, partial_measurement)
        refuse_beyond_memory(width, measured)
        runs_on = choose_simulator(simulator, measured, width, encoding)
        self.spec = circuit_spec(width, ansatz, layers, encoding, observables, partial_measurement)
        super().__init__(
            self.spec.ansatz,
            list(self.spec.observables),
            differentiator=tfq.differentiators.Adjoint(),
            initializer=keras.initializers.RandomNormal(stddev=width**-0.5, seed=seed),
            autocast=False,  # inputs keep their digits until they are float32
            **kwargs,
        )
        if not tf.as_dtype(self.compute_dtype).is_floating:
            raise UserError(f"`dtype` must compute in a floating type for a quantum head; got '{self.compute_dtype}'.")
        self._executor.dtype_policy = "float32"  # a layer as well, which would cast by the policy that is set globally
        self.width, self.ansatz, self.layers, self.seed = width, ansatz, layers, seed
        self.encoding, self.observables, self.shots, self.gradient = encoding, observables, shots, gradient
        self.noise, self.noise_level, self.partial_measurement = noise, noise_level, partial_measurement
        self.simulator = simulator
        self.perturbations = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # TFQ's operations have no XLA kernels, and the other simulator compiles itself
        self._circuit = tfq.convert_to_tensor([self.spec.circuit])
        self._names = tf.constant([str(symbol) for symbol in self.spec.inputs + self.spec.weights])
        self._is_random = measured.needs_random_numbers
        makers: dict[str, Callable[[], Expectations]] = {
            "tfq": lambda: tfq_expectations(self.spec, measured, self._exact),
            "xla": lambda: xla_expectations(self.spec, measured),
            "pauli": lambda: pauli_expectations(self.spec, measured),
        }
        self.expectations = makers[runs_on]()
        self.row_bytes = bytes_of_states(self.spec, measured) if runs_on == "xla" else 0

    def add_weight(self, name=None, shape=None, **kwargs):
        """Add a weight; PQC passes the name first, where Keras 3 expects the shape. No policy casts it."""
        return super().add_weight(shape=shape, name=name, autocast=False, **kwargs)

    def _exact(self, values: tf.Tensor) -> tf.Tensor:
        n = tf.shape(values)[0]
        return self._executor(
            tf.repeat(self._circuit, n),
            symbol_names=self._names,
            symbol_values=values,
            operators=tf.repeat(self._operators, n, axis=0),
        )

    def __call__(self, inputs, *args, **kwargs):
        """Refuse what is no input of this head, before Keras adds its own words; then as every layer."""
        check_inputs(inputs, self.spec)
        return super().__call__(inputs, *args, **kwargs)

    def build(self, input_shape):
        """Check the shape; the weights are there already."""
        check_shape(input_shape, self.spec)
        super().build(input_shape)

    def call(self, inputs):
        """Return the expectations for each row of the encoder's numbers."""
        x = tf.cast(inputs, tf.float32)
        x = tf.ensure_shape(x, (*x.shape[:-1], self.spec.features))
        rows = x if x.shape.rank == 2 else tf.reshape(x, (-1, self.spec.features))
        angles = self.spec.encoding.values(rows, keras.ops, self.width)  # (n, input symbols)
        angles, weights, mark = finite(rows, angles, tf.convert_to_tensor(self.parameters))
        found = self._measured(angles, weights) + mark  # (n, observables)
        shape = self.compute_output_shape(x.shape)
        if len(shape) != 2:
            found = tf.reshape(found, tf.concat([tf.shape(x)[:-1], shape[-1:]], 0))
        return tf.cast(tf.ensure_shape(found, shape), self.compute_dtype)

    def _measured(self, angles: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Return the expectations, (n, observables), each view's rows from random numbers of their place in the batch.

        Views that are stacked for replicas are measured one after the other, as they are where nothing is stacked: so
        shots and SPSA's signs belong to (seed, call, row of the global batch), however many replicas share it.
        """
        if not self._is_random:
            return self.expectations(angles, weights, tf.zeros(2, tf.int32), tf.constant(0))
        parts = tf.split(angles, view_count()) if view_count() > 1 else [angles]
        seeds = [tf.cast(self.perturbations.next(), tf.int32) for _ in parts]
        first_row = replica_number() * tf.shape(parts[0])[0]
        return tf.concat(
            [self.expectations(part, weights, seed, first_row) for part, seed in zip(parts, seeds, strict=True)], axis=0
        )

    def frozen(self, angles: np.ndarray) -> np.ndarray:
        """Return what `call` returns, for weights that stand still and any number of rows, without gradients.

        Exact expectations of RX angles come from one matrix, where nothing measures on the way; everything else is run
        in batches.

        Args:
            angles: In radians, shape (n, inputs), or with more axes in front.

        Returns:
            Expectations in [-1, 1], float32, the same axes with the observables as the last.
        """
        check_inputs(angles, self.spec)
        shape = self.compute_output_shape(angles.shape)
        if 0 in shape:
            return np.zeros(shape, np.float32)
        rows = tf.reshape(tf.cast(angles, tf.float32), (-1, self.spec.features))
        is_matrix = (
            self.encoding == "angle"
            and self.width <= MAX_FROZEN_WIDTH
            and not self.partial_measurement
            and self.noise == "none"
        )
        if self.shots is None and is_matrix:
            turned, weights, mark = finite(rows, rows, tf.convert_to_tensor(self.parameters))
            found = frozen_expectations(self.spec, weights.numpy(), turned.numpy()) + mark.numpy()
        else:
            found = np.concatenate([self(rows[start : start + 512]).numpy() for start in range(0, len(rows), 512)])
        return found.astype(np.float32).reshape(shape)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs with the number of observables in the place of a row's numbers."""
        check_shape(input_shape, self.spec)
        return (*input_shape[:-1], len(self.spec.observables))

    def get_config(self):
        """Return the constructor's arguments: names and numbers, no circuit."""
        names = ("width", "ansatz", "layers", "encoding", "observables", "shots", "gradient", "noise", "noise_level")
        own = {name: getattr(self, name) for name in (*names, "partial_measurement", "simulator", "seed")}
        if self.regularizer is not None:
            own["regularizer"] = keras.regularizers.serialize(self.regularizer)
        if self.constraint is not None:
            own["constraint"] = keras.constraints.serialize(self.constraint)
        return keras.layers.Layer.get_config(self) | own


def _check_parents(arguments: dict[str, Any]) -> None:
    """Refuse what this class decides for its parent.

    Raises:
        UserError: It names the first.
    """
    own = list(inspect.signature(QuantumHead).parameters)[:-1]
    for name in arguments:
        if name not in DECIDED and name not in KERAS_ARGUMENTS:
            raise unknown_argument("QuantumHead", name, own)
    if decided := sorted(DECIDED & set(arguments)):
        raise UserError(
            f"`{decided[0]}` belongs to PQC and is decided by QuantumHead; leave it out: its own arguments `shots`, "
            "`gradient` and `simulator` say how the circuit is run."
        )
