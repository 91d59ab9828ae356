"""Measurement settings of a head: shots, gradient and noise, and which combinations are valid."""

from dataclasses import dataclass

import cirq

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.noise import LEVELS, device_of, noisy_blocks, read_noise, readout_errors
from qssl_tf.quantum.spec import CircuitSpec

# Name -> what it does. `two_term` is the published code's rule and wrong by sqrt(2) on the half-frequency part of
# controlled rotations; kept for comparison.
GRADIENTS = ("adjoint", "parameter_shift", "two_term", "spsa")


@dataclass(frozen=True)
class Measurement:
    """Measurement settings; the fields are `QuantumHead`'s arguments of the same names.

    Raises:
        UserError: Settings that cannot be combined.
    """

    shots: int | None = None
    gradient: str = "adjoint"
    noise: str = "none"
    noise_level: str = "gate"
    partial_measurement: bool = False

    def __post_init__(self):
        """Check the settings."""
        if self.gradient not in GRADIENTS:
            raise unknown_name("gradient", self.gradient, GRADIENTS)
        if self.noise_level not in LEVELS:
            raise unknown_name("noise_level", self.noise_level, LEVELS)
        if self.shots is not None and self.shots < 1:
            raise UserError(f"`shots` must be at least 1, or none for exact expectations; got {self.shots}.")
        if self.device and self.noise_level != "gate":
            raise UserError(f"`noise_level` must be gate with the noise of a device; got '{self.noise_level}'.")

    def check_trajectories(self, setting: str, why: str) -> None:
        """Refuse settings that do not work with trajectories, a new one for each shot.

        Args:
            setting: Name of the setting that needs them.
            why: Why only trajectories will do.

        Raises:
            UserError: Without shots, or with the gradient `adjoint`.
        """
        if not self.fits_trajectories:
            raise UserError(
                f"`{setting}` must come with `shots` and a `gradient` of parameter_shift, two_term or spsa here, since "
                f"{why}, so each shot is one random trajectory; got `shots` {str(self.shots).lower()} and `gradient` "
                f"{self.gradient}."
            )

    @property
    def fits_trajectories(self) -> bool:
        """Whether noise may be sampled, one random trajectory per shot; adjoint would differentiate without it."""
        return self.shots is not None and self.gradient != "adjoint"

    @property
    def device(self) -> str | None:
        """Name of the device whose noise each gate has; None where channels are the same for all."""
        return device_of(self.noise)

    @property
    def is_noisy(self) -> bool:
        """Whether gates have any noise."""
        return bool(self.device or self.channels)

    @property
    def channels(self) -> dict[str, float]:
        """Strength of each noise channel."""
        return read_noise(self.noise)

    @property
    def needs_random_numbers(self) -> bool:
        """Whether two evaluations of the same angles may differ."""
        return self.shots is not None or self.gradient == "spsa"

    def executed_circuit(self, spec: CircuitSpec) -> cirq.Circuit:
        """Return the circuit with its noise channels, without the final basis change."""
        if self.shots is None and not self.channels:
            return spec.circuit
        return sum(noisy_blocks(spec.blocks, self.channels, self.noise_level), cirq.Circuit())

    def readout_circuit(self, spec: CircuitSpec) -> cirq.Circuit:
        """Return the readout errors, which act after the basis change."""
        return readout_errors(spec.qubits, self.channels)
