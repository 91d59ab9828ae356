"""QuantumHead: TensorFlow Quantum's PQC layer on Keras 3, fed with the encoder's numbers instead of circuits."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq

from qssl_tf.errors import UserError
from qssl_tf.quantum.frozen import MAX_FROZEN_WIDTH, frozen_expectations
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.simulators import choose_simulator, refuse_beyond_memory
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.tfq_simulator import tfq_expectations
from qssl_tf.quantum.xla_simulator import xla_expectations
from qssl_tf.replicas import replica_count, replica_number


@keras.saving.register_keras_serializable(package="qssl_tf")
class QuantumHead(tfq.layers.PQC):
    """A parametrized quantum circuit between the encoder and its features (arXiv:2103.14653, Fig. 2).

    Input: float32, shape (n, inputs): angles in [0, pi] radians, one for each qubit (`amplitude`: 2^width numbers).
    Output: float32, shape (n, observables): expectations in [-1, 1], in the order of the observables.

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
        noise: `none`, or channels with their probabilities, such as `depolarizing=0.01,readout=0.02`; needs shots.
        noise_level: Channels after each `gate` or after each `layer`.
        partial_measurement: Measure every other qubit after the first layer; on `tfq` it needs shots and a gradient
            other than `adjoint`.
        simulator: `tfq`, `xla` (this package's own, on CPU or GPU) or `auto`, the faster one that can do it. Weights
            and checkpoints are the same.
        seed: Seed of the initial weights, and of the shots of `xla`; None draws one.

    Raises:
        UserError: An unknown name, a combination that does not exist, or angles that are not.
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
        measured = Measurement(shots, gradient, noise, noise_level, partial_measurement)
        refuse_beyond_memory(width, measured)
        runs_on = choose_simulator(simulator, measured)
        self.spec = circuit_spec(width, ansatz, layers, encoding, observables, partial_measurement)
        super().__init__(
            self.spec.ansatz,
            list(self.spec.observables),
            differentiator=tfq.differentiators.Adjoint(),
            initializer=keras.initializers.RandomNormal(stddev=width**-0.5, seed=seed),
            **kwargs,
        )
        self.width, self.ansatz, self.layers, self.seed = width, ansatz, layers, seed
        self.encoding, self.observables, self.shots, self.gradient = encoding, observables, shots, gradient
        self.noise, self.noise_level, self.partial_measurement = noise, noise_level, partial_measurement
        self.simulator = simulator
        self.perturbations = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # TFQ's operations have no XLA kernels, and the other simulator compiles itself
        self._circuit = tfq.convert_to_tensor([self.spec.circuit])
        self._names = tf.constant([str(symbol) for symbol in self.spec.inputs + self.spec.weights])
        self._is_random = measured.needs_random_numbers
        if runs_on == "tfq":
            self.expectations = tfq_expectations(self.spec, measured, self._exact)
        else:
            self.expectations = xla_expectations(self.spec, measured)

    def add_weight(self, name=None, shape=None, **kwargs):
        """Add a weight; PQC passes the name first, where Keras 3 expects the shape."""
        return super().add_weight(shape=shape, name=name, **kwargs)

    def _exact(self, values: tf.Tensor) -> tf.Tensor:
        n = tf.shape(values)[0]
        return self._executor(
            tf.repeat(self._circuit, n),
            symbol_names=self._names,
            symbol_values=values,
            operators=tf.repeat(self._operators, n, axis=0),
        )

    def call(self, inputs):
        """Return the expectations for each row of the encoder's numbers."""
        if tf.executing_eagerly():
            check_angles(np.asarray(inputs))
        angles = self.spec.encoding.values(inputs, keras.ops, self.width)  # (n, input symbols)
        return self.expectations(angles, tf.convert_to_tensor(self.parameters), self._next_seed())

    def _next_seed(self) -> tf.Tensor:
        """Return a new seed for the shots, int32, shape (2,), of its own on each replica."""
        if not self._is_random:
            return tf.zeros(2, tf.int32)
        seed = tf.cast(self.perturbations.next(), tf.int32)
        return seed if replica_count() == 1 else seed + tf.stack([replica_number() * 65536, 0])

    def frozen(self, angles: np.ndarray) -> np.ndarray:
        """Return what `call` returns, for weights that stand still and any number of rows, without gradients.

        Exact expectations of RX angles come from one matrix, where nothing measures on the way; everything else is run
        in batches.

        Args:
            angles: In radians, in [0, pi], shape (n, inputs).

        Returns:
            Expectations in [-1, 1], shape (n, observables).
        """
        is_matrix = self.encoding == "angle" and self.width <= MAX_FROZEN_WIDTH and not self.partial_measurement
        if self.shots is None and is_matrix:
            return frozen_expectations(self.spec, self.parameters.numpy(), angles)
        return np.concatenate([self(angles[start : start + 512]).numpy() for start in range(0, len(angles), 512)])

    def compute_output_shape(self, input_shape):
        """Return (n, number of observables)."""
        return (input_shape[0], len(self.spec.observables))

    def get_config(self):
        """Return the constructor's arguments: names and numbers, no circuit."""
        names = ("width", "ansatz", "layers", "encoding", "observables", "shots", "gradient", "noise", "noise_level")
        own = {name: getattr(self, name) for name in (*names, "partial_measurement", "simulator", "seed")}
        return keras.layers.Layer.get_config(self) | own


def check_angles(angles: np.ndarray) -> None:
    """Refuse angles outside [0, pi].

    Raises:
        UserError: It gives the first that is wrong.
    """
    wrong = ~((angles >= -1e-6) & (angles <= np.pi + 1e-6))
    if np.any(wrong):
        raise UserError(
            f"angles of the quantum head must be finite and in [0, pi] radians; got {angles[wrong].flat[0]}; "
            "bound them first, as BoundedAngle does."
        )
