"""Options of a device run. Nothing here imports Qiskit, so a wrong option is reported at once."""

from dataclasses import dataclass
from typing import Any

from qssl_tf.durations import read_time
from qssl_tf.errors import UserError, unknown_name

METHODS = ("none", "readout", "affine", "zne")  # of mitigation
DEFAULT_SHOTS = 1024
MAX_SECONDS = 1e9
JOB_SECONDS = 5.0  # a job's own overhead, a guess on the high side: no real device was measured
LEFT = "left"  # a budget: what the account has left
GATES = ("best", "standard", "fractional")  # that a circuit may be compiled to
# Training images in front of each device run, or all where there are fewer; their exact values tell what the device
# does to each observable.
CALIBRATION_ROWS = 50
MAX_SEED = 2**31 - 1  # simulators take seeds of 64 bits, and each job's is made of this one
AFFINE_ROWS = 3  # fewest calibration rows of affine mitigation: two fix a line, the third is the first to contradict it


@dataclass(frozen=True)
class DeviceOptions:
    """What is run on which device, and how; checked when it is made.

    Attributes:
        backend: Name of the device, or an object that `backends.device` takes.
        images: How many test images, equally many of each class; None is 900, or all where there are fewer, or as many
            as the budget allows.
        shots: Measurements of each row; None is DEFAULT_SHOTS, or what the budget allows.
        mitigation: One of METHODS.
        seed: Of the choice of images, layouts and simulated noise.
        job_rows: Rows of a job; None is as many as the device's limits allow.
        suppression: Keys of SUPPRESSIONS.
        gates: `standard` leaves out the fractional gates RX and RZZ, `best` takes them where the device has them and
            does better with them, and `fractional` also simulates a snapshot with them that was calibrated without.
        budget: Seconds of device time in which images, shots and calibration rows are planned, as a number or as text
            such as `4m`; LEFT is what the account has left. None plans nothing.
        compile_seconds: After which no more ways to compile the circuit are tried; None tries all.

    Raises:
        UserError: Shots or images below 1, an unknown mitigation or gates, a negative seed, no time to compile, a
            budget that is no time, or jobs without room for images.
    """

    backend: Any = "fake_paris"
    images: int | None = None
    shots: int | None = None
    mitigation: str = "affine"
    seed: int = 0
    job_rows: int | None = None
    suppression: tuple[str, ...] = ()
    gates: str = "best"
    compile_seconds: float | None = None
    budget: float | str | None = None

    def __post_init__(self):
        """Refuse what no device run can do."""
        if self.shots is not None and self.shots < 1:
            raise UserError(f"`shots` must be at least 1; got {self.shots}.")
        if self.mitigation not in METHODS:
            raise unknown_name("mitigation", self.mitigation, METHODS)
        if self.gates not in GATES:
            raise unknown_name("gates", self.gates, GATES)
        if self.compile_seconds is not None and not self.compile_seconds > 0:
            raise UserError(f"`compile_seconds` must be above 0; got {self.compile_seconds:g}.")
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"`seed` must be at least 0 and at most {MAX_SEED}; got {self.seed}.")
        if self.images is not None and self.images < 1:
            raise UserError(f"`images` must be at least 1; got {self.images}.")
        if self.job_rows is not None and self.job_rows <= CALIBRATION_ROWS:
            raise UserError(
                f"`job_rows` must be above {CALIBRATION_ROWS}, the calibration rows that a job begins with; got "
                f"{self.job_rows}."
            )
        if self.budget is not None and self.budget != LEFT:
            seconds = read_time(self.budget) if isinstance(self.budget, str) else self.budget
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < MAX_SECONDS:
                raise UserError(
                    f"`budget` must be seconds above 0, a time such as 4m, or left; got {self.budget!r:.40}."
                )
            object.__setattr__(self, "budget", float(seconds))
