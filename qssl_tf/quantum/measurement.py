"""How a head's circuit is executed: how many shots, which gradient, which noise; and which of these go together."""

from dataclasses import dataclass

import cirq

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.noise import LEVELS, noisy_blocks, read_noise, readout_errors
from qssl_tf.quantum.spec import CircuitSpec

# Name -> what it does. `two_term` is the published code's rule and wrong by sqrt(2) on the half-frequency part of
# controlled rotations; it is here for comparison.
GRADIENTS = ("adjoint", "parameter_shift", "two_term", "spsa")


@dataclass(frozen=True)
class Measurement:
    """Settings of the execution; the fields are `QuantumHead`'s arguments of the same names.

    Raises:
        UserError: Settings that cannot go together; one sentence with the rule and the remedy.
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

    def check_trajectories(self, named: str, why: str) -> None:
        """Refuse what cannot be done with trajectories, a new one for each shot.

        Args:
            named: The setting that needs them.
            why: Why nothing but trajectories will do.

        Raises:
            UserError: The rule.
        """
        if self.shots is None:
            raise UserError(f"`{named}` needs a number of `shots` here, each of them one trajectory: {why}; got none.")
        if self.gradient == "adjoint":
            raise UserError(
                f"`gradient` must be parameter_shift, two_term or spsa with `{named}` here: {why}, and adjoint would "
                "differentiate the circuit without it; got 'adjoint'."
            )

    @property
    def channels(self) -> dict[str, float]:
        """Strength of each noise channel."""
        return read_noise(self.noise)

    @property
    def needs_random_numbers(self) -> bool:
        """Whether two runs of the same values may differ."""
        return self.shots is not None or self.gradient == "spsa"

    def executed(self, spec: CircuitSpec) -> cirq.Circuit:
        """Return the circuit that is run, with its channels, up to the change of basis before the measurement."""
        if self.shots is None and not self.channels:
            return spec.circuit
        return sum(noisy_blocks(spec.blocks, self.channels, self.noise_level), cirq.Circuit())

    def readout(self, spec: CircuitSpec) -> cirq.Circuit:
        """Return the readout errors, which act after the change of basis."""
        return readout_errors(spec.qubits, self.channels)
