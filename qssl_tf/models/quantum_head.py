"""QuantumHead: a circuit as a Keras layer, on TensorFlow Quantum's PQC where it can be used."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qssl_tf import tf32
from qssl_tf.arguments import unknown_argument
from qssl_tf.config import checked
from qssl_tf.distributed.replicas import replica_number, view_count
from qssl_tf.errors import UserError
from qssl_tf.memory import available
from qssl_tf.models.circuit_layer import circuit_layer
from qssl_tf.quantum.inference import MAX_MATRIX_WIDTH, matrix_expectations
from qssl_tf.quantum.inputs import check_inputs, check_shape, mask_nonfinite
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.pauli_simulation import PauliSimulation
from qssl_tf.quantum.pauli_simulator import bytes_needed, pauli_expectations, simulation
from qssl_tf.quantum.simulators import choose_simulator, refuse_beyond_memory
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.tfq_availability import why_absent
from qssl_tf.quantum.xla_simulator import Expectations, bytes_of_states, xla_expectations

# Arguments of PQC that are set here, whatever the parent class is; `shots`, `gradient` and `simulator` replace them.
RESERVED = {"autocast", "model_circuit", "operators", "repetitions", "backend", "differentiator", "initializer"}
# Arguments of every Keras layer, and of those with weights.
KERAS_ARGUMENTS = (
    "name", "dtype", "trainable", "activity_regularizer", "input_shape", "input_dim", "batch_shape",
    "batch_input_shape", "batch_size", "input_dtype", "regularizer", "constraint",
)  # fmt: skip


@keras.saving.register_keras_serializable(package="qssl_tf")
class QuantumHead(circuit_layer()):  # type: ignore[misc]
    """A parametrized quantum circuit that turns the encoder's outputs into features (arXiv:2103.14653, Fig. 2).

    Input: real numbers of any type, shape (..., inputs): one angle in radians for each qubit (for `amplitude`, 2^width
    numbers whose magnitudes matter). Encoders bound their angles to [0, pi], but any finite angle is valid, since
    rotations are periodic.
    Output: shape (..., observables): expectations in [-1, 1], in the order of the observables.

    The circuit and its weights are float32 under every dtype policy; the output has the policy's compute dtype. Making
    a head switches TF32 off for the process (see `qssl_tf.tf32`), which would ruin circuits on GPUs. A row that
    contains NaN or infinity in float32 gives NaN.

    Weights are initialized from a normal distribution with standard deviation 1 / sqrt(width), as in the paper.

    It is a `tfq.layers.PQC` where TensorFlow Quantum can be used, and a plain Keras layer elsewhere, with the same
    weights, names and files; only `simulator="tfq"` is missing there.

    Args:
        width: Number of qubits.
        ansatz: Name in `ansatze.ANSATZE`.
        layers: Layers of the ansatz.
        encoding: Name in `encodings.ENCODINGS`.
        observables: `z` (Z of each qubit), `z_zz` (and of each pair), or products in one basis such as `Z0,X1X2`.
        shots: Number of measurements per expectation; None gives exact expectations.
        gradient: `adjoint` (exact, even if expectations are sampled), `parameter_shift` (exact rules, each term
            estimated from its own shots), `two_term` (the published rule, biased for controlled rotations) or `spsa`.
        noise: `none`; channels with probabilities, such as `depolarizing=0.01,readout=0.02`; or a device by the name of
            its calibration snapshot, such as `fake_paris`, for whose gates the circuit is then compiled, each with the
            error of its qubits. Exact with the encodings angle and angle_y, with or without shots; otherwise channels
            are sampled by trajectories, which requires shots.
        noise_level: Whether channels act after each `gate` or after each `layer`.
        partial_measurement: Measure every other qubit after the first layer; on `tfq` this requires shots and a
            gradient other than `adjoint`.
        simulator: `tfq`, `xla` or `pauli` (this package's own for states and for noise, on CPU or GPU), or `auto`, the
            fastest one that supports the settings. Weights and checkpoints are the same.
        seed: Seed of the initial weights, of the shots of `xla` and of SPSA's signs; None draws one. Shots and signs
            depend on the call and on the row of the batch, the global batch under a `tf.distribute` strategy.
        **kwargs: Arguments of every Keras layer (`name`, `dtype`, ...), and `regularizer` and `constraint` of the
            weights.

    Attributes:
        twin: With the noise of a device, what a run keeps of it: name, date and checksum of the calibration, layout,
            two-qubit gates and estimated success; else None.

    Raises:
        UserError: An argument of the wrong type or out of range, an unknown name, an invalid combination, or inputs
            that are not real numbers of a suitable shape.
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
        _check_keras_arguments(kwargs)
        tf32.switch_off()
        width, layers, shots = checked("width", width), checked("layers", layers), checked("shots", shots)
        seed = None if seed is None else checked("seed", seed)
        names = {"ansatz": ansatz, "encoding": encoding, "observables": observables, "gradient": gradient}
        names |= {"noise": noise, "noise_level": noise_level, "simulator": simulator}
        for name, value in (names | {"partial_measurement": partial_measurement}).items():
            checked(name, value)
        measurement = Measurement(shots, gradient, noise, noise_level, partial_measurement)
        refuse_beyond_memory(width, measurement)
        simulator_name = choose_simulator(simulator, measurement, width, encoding)
        self.spec = circuit_spec(width, ansatz, layers, encoding, observables, partial_measurement)
        super().__init__(
            self.spec,
            initializer=keras.initializers.RandomNormal(stddev=width**-0.5, seed=seed),
            autocast=False,  # keep the precision of inputs until they are cast to float32
            **kwargs,
        )
        if not tf.as_dtype(self.compute_dtype).is_floating:
            raise UserError(f"`dtype` must compute in a floating type for a quantum head; got '{self.compute_dtype}'.")
        self.width, self.ansatz, self.layers, self.seed = width, ansatz, layers, seed
        self.encoding, self.observables, self.shots, self.gradient = encoding, observables, shots, gradient
        self.noise, self.noise_level, self.partial_measurement = noise, noise_level, partial_measurement
        self.simulator = simulator
        self.perturbations = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # TFQ's ops have no XLA kernels, and the other simulator is compiled separately
        self._is_random = measurement.needs_random_numbers
        can_sample = simulator == "auto" and simulator_name == "pauli" and measurement.fits_trajectories
        if can_sample and not measurement.device and bytes_needed(self._noisy(measurement)) > available():
            simulator_name = simulator_name if why_absent() else "tfq"
        backends: dict[str, Callable[[], Expectations]] = {
            "tfq": lambda: self._tfq_expectations(measurement),
            "xla": lambda: xla_expectations(self.spec, measurement),
            "pauli": lambda: pauli_expectations(self._noisy(measurement), gradient),
        }
        self.expectations = backends[simulator_name]()
        self.runs_in_xla = simulator_name != "tfq"
        self.twin = self._twin_record(measurement)
        self.row_bytes = bytes_of_states(self.spec, measurement) if simulator_name == "xla" else 0

    def _noisy(self, measurement: Measurement) -> PauliSimulation:
        """Return the circuit with its noise, as written or as compiled for a device."""
        if measurement.device is None:
            return simulation(self.spec, measurement)
        from qssl_tf.compiler.twin import twin_simulation  # loads Qiskit

        return twin_simulation(self.spec, measurement.device, measurement.shots)

    def _twin_record(self, measurement: Measurement) -> dict[str, Any] | None:
        """Return device, calibration and layout of a head with the noise of a device; None for others."""
        if measurement.device is None:
            return None
        from qssl_tf.compiler.twin import twin

        return twin(self.spec, measurement.device).record()

    def _tfq_expectations(self, measurement: Measurement) -> Expectations:
        """Return the expectations by TensorFlow Quantum, on whose PQC this layer is built then."""
        from qssl_tf.quantum.tfq_simulator import tfq_expectations

        return tfq_expectations(self.spec, measurement, self.exact)

    def __call__(self, inputs, *args, **kwargs):
        """Check the inputs before Keras wraps the error message; then call the layer."""
        check_inputs(inputs, self.spec)
        return super().__call__(inputs, *args, **kwargs)

    def build(self, input_shape):
        """Check the shape; the weights exist already."""
        check_shape(input_shape, self.spec)
        super().build(input_shape)

    def call(self, inputs):
        """Return the expectations for each row of inputs."""
        x = tf.cast(inputs, tf.float32)
        x = tf.ensure_shape(x, (*x.shape[:-1], self.spec.input_size))
        rows = x if x.shape.rank == 2 else tf.reshape(x, (-1, self.spec.input_size))
        angles = self.spec.encoding.angles(rows, keras.ops, self.width)  # (n, input symbols)
        angles, weights, nan_offset = mask_nonfinite(rows, angles, tf.convert_to_tensor(self.parameters))
        values = self._measured_expectations(angles, weights) + nan_offset  # (n, observables)
        shape = self.compute_output_shape(x.shape)
        if len(shape) != 2:
            values = tf.reshape(values, tf.concat([tf.shape(x)[:-1], shape[-1:]], 0))
        return tf.cast(tf.ensure_shape(values, shape), self.compute_dtype)

    def _measured_expectations(self, angles: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Return the expectations, (n, observables), with random numbers that depend on each row's place in the batch.

        Views that are stacked for replicas are evaluated one after the other, as in a single process: so shots and
        SPSA's signs depend on (seed, call, row of the global batch), not on the number of replicas.
        """
        if not self._is_random:
            return self.expectations(angles, weights, tf.zeros(2, tf.int32), tf.constant(0))
        parts = tf.split(angles, view_count()) if view_count() > 1 else [angles]
        seeds = [tf.cast(self.perturbations.next(), tf.int32) for _ in parts]
        first_row = replica_number() * tf.shape(parts[0])[0]
        return tf.concat(
            [self.expectations(part, weights, seed, first_row) for part, seed in zip(parts, seeds, strict=True)], axis=0
        )

    def predict(self, angles: np.ndarray) -> np.ndarray:
        """Return what `call` returns, as a NumPy array for any number of rows, without gradients.

        Exact expectations of RX angles are computed with one matrix, unless qubits are measured between layers;
        everything else runs in batches.

        Args:
            angles: In radians, shape (..., inputs).

        Returns:
            Expectations in [-1, 1], float32, shape (..., observables).
        """
        check_inputs(angles, self.spec)
        shape = self.compute_output_shape(angles.shape)
        if 0 in shape:
            return np.zeros(shape, np.float32)
        rows = tf.reshape(tf.cast(angles, tf.float32), (-1, self.spec.input_size))
        is_pure = self.noise == "none" and not self.partial_measurement
        is_matrix = self.encoding == "angle" and self.width <= MAX_MATRIX_WIDTH and is_pure
        if self.shots is None and is_matrix:
            finite_rows, weights, nan_offset = mask_nonfinite(rows, rows, tf.convert_to_tensor(self.parameters))
            values = matrix_expectations(self.spec, weights.numpy(), finite_rows.numpy()) + nan_offset.numpy()
        else:
            batch = min(len(rows), 512)
            padded = tf.pad(rows, [[0, -len(rows) % batch], [0, 0]])  # a batch of another shape is compiled again
            parts = tf.split(padded, len(padded) // batch)
            values = np.concatenate([self(part).numpy() for part in parts])[: len(rows)]
        return values.astype(np.float32).reshape(shape)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs with the number of observables as the last axis."""
        check_shape(input_shape, self.spec)
        return (*input_shape[:-1], len(self.spec.observables))

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("width", "ansatz", "layers", "encoding", "observables", "shots", "gradient", "noise", "noise_level")
        own_arguments = {name: getattr(self, name) for name in (*names, "partial_measurement", "simulator", "seed")}
        if self.regularizer is not None:
            own_arguments["regularizer"] = keras.regularizers.serialize(self.regularizer)
        if self.constraint is not None:
            own_arguments["constraint"] = keras.constraints.serialize(self.constraint)
        return keras.layers.Layer.get_config(self) | own_arguments


def _check_keras_arguments(arguments: dict[str, Any]) -> None:
    """Refuse unknown arguments, and those that this class sets for its parent.

    Raises:
        UserError: It names the first.
    """
    own_arguments = list(inspect.signature(QuantumHead).parameters)[:-1]
    for name in arguments:
        if name not in RESERVED and name not in KERAS_ARGUMENTS:
            raise unknown_argument("QuantumHead", name, own_arguments)
    if reserved := sorted(RESERVED & set(arguments)):
        raise UserError(
            f"`{reserved[0]}` belongs to PQC and is decided by QuantumHead; leave it out: its own arguments `shots`, "
            "`gradient` and `simulator` say how the circuit is run."
        )
