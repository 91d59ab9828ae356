"""QuantumHead: TensorFlow Quantum's PQC layer on Keras 3, fed with the encoder's numbers instead of circuits."""

from collections.abc import Callable
from typing import Any

import cirq
import keras
import numpy as np
import tensorflow as tf
import tensorflow_quantum as tfq

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.circuits import circuit_spec
from qssl_tf.quantum.frozen import MAX_FROZEN_WIDTH, frozen_expectations
from qssl_tf.quantum.noise import noisy_blocks, partial_measurement, read_noise, readout_errors
from qssl_tf.quantum.observables import basis_change, members
from qssl_tf.quantum.shift_rules import exact_estimator, perturbed, sampled_estimator, sampled_forward, shifted
from qssl_tf.quantum.splitting import split

# Name -> what it does. `two_term` is the published code's rule and wrong by sqrt(2) on the half-frequency part of
# controlled rotations; it is here for comparison.
GRADIENTS = ("adjoint", "parameter_shift", "two_term", "spsa")


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
        partial_measurement: Measure every other qubit after the first layer; needs shots.
        seed: Seed of the initial weights; None draws one.

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
        seed: int | None = None,
        **kwargs: Any,
    ):
        """Build the circuit and the weights."""
        check_combination(gradient, shots, noise, partial_measurement, layers)
        self.spec = circuit_spec(width, ansatz, layers, encoding, observables)
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
        self.perturbations = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # TFQ's operations have no XLA kernels
        self._circuit = tfq.convert_to_tensor([self.spec.circuit])
        self._names = tf.constant([str(symbol) for symbol in self.spec.inputs + self.spec.weights])
        self.expectations = self._choose()

    def add_weight(self, name=None, shape=None, **kwargs):
        """Add a weight; PQC passes the name first, where Keras 3 expects the shape."""
        return super().add_weight(shape=shape, name=name, **kwargs)

    def _choose(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return the function from symbol values to expectations that the settings name."""
        if self.gradient == "adjoint" and self.shots is None:
            return self._exact
        gates = split(self._executed(), self.spec.inputs + self.spec.weights)
        if self.shots is None:
            estimate = exact_estimator(gates, self.spec.observables)
        else:
            noisy = self.partial_measurement or bool(read_noise(self.noise))
            estimate = sampled_estimator(gates, members(self.spec.observables, self.spec.qubits), self.shots, noisy)
        choices = {
            "adjoint": lambda: sampled_forward(estimate, gates, self._exact),
            "parameter_shift": lambda: shifted(estimate, gates),
            "two_term": lambda: shifted(estimate, gates, exact=False),
            "spsa": lambda: perturbed(estimate, gates, self.perturbations.next),
        }
        return choices[self.gradient]()

    def _executed(self) -> cirq.Circuit:
        """Return the circuit that is run: with channels, and in the measured basis where it is sampled."""
        if self.shots is None:
            return self.spec.circuit
        strengths, qubits = read_noise(self.noise), self.spec.qubits
        blocks = noisy_blocks(self.spec.blocks, strengths, self.noise_level)
        if self.partial_measurement:
            blocks.insert(self.spec.first_layer_end, partial_measurement(qubits))
        return sum([*blocks, basis_change(self.spec.observables), readout_errors(qubits, strengths)], cirq.Circuit())

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
        weights = tf.tile(self.parameters[tf.newaxis], (tf.shape(inputs)[0], 1))  # (n, weights)
        return self.expectations(tf.concat([angles, weights], axis=1))

    def frozen(self, angles: np.ndarray) -> np.ndarray:
        """Return what `call` returns, for weights that stand still and any number of rows, without gradients.

        Exact expectations of RX angles come from one matrix; everything else is run in batches.
        """
        if self.shots is None and self.encoding == "angle" and self.width <= MAX_FROZEN_WIDTH:
            return frozen_expectations(self.spec, self.parameters.numpy(), angles)
        return np.concatenate([self(angles[start : start + 512]).numpy() for start in range(0, len(angles), 512)])

    def compute_output_shape(self, input_shape):
        """Return (n, number of observables)."""
        return (input_shape[0], len(self.spec.observables))

    def get_config(self):
        """Return the constructor's arguments: names and numbers, no circuit."""
        names = ("width", "ansatz", "layers", "encoding", "observables", "shots", "gradient", "noise", "noise_level")
        own = {name: getattr(self, name) for name in (*names, "partial_measurement", "seed")}
        return keras.layers.Layer.get_config(self) | own


def check_combination(gradient: str, shots: int | None, noise: str, partial_measurement: bool, layers: int) -> None:
    """Refuse settings that cannot go together.

    Raises:
        UserError: One sentence with the rule and the remedy.
    """
    if gradient not in GRADIENTS:
        raise unknown_name("gradient", gradient, GRADIENTS)
    if shots is not None and shots < 1:
        raise UserError(f"`shots` must be at least 1, or none for exact expectations; got {shots}.")
    if partial_measurement and layers < 2:
        raise UserError(
            f"`layers` must be at least 2 with `partial_measurement`, which stands between two; got {layers}."
        )
    named = "noise" if read_noise(noise) else "partial_measurement" if partial_measurement else None
    if named and shots is None:
        raise UserError(f"`{named}` needs a number of `shots`, since each shot is one trajectory; got none.")
    if named and gradient == "adjoint":
        raise UserError(
            f"`gradient` must be parameter_shift, two_term or spsa with `{named}`: adjoint would differentiate the "
            "circuit without it; got 'adjoint'."
        )


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
