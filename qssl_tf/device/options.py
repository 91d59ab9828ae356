"""Options of a device run. Nothing here imports Qiskit, so a wrong option is reported at once."""

from dataclasses import dataclass
from typing import Any

from qssl_tf.errors import UserError, unknown_name

METHODS = ("none", "readout", "affine", "zne")  # of mitigation
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
        images: How many test images, equally many of each class; None is 900, or all where there are fewer.
        shots: Measurements of each row.
        mitigation: One of METHODS.
        seed: Of the choice of images, layouts and simulated noise.
        job_rows: Rows of a job; None is as many as the device's limits allow.
        suppression: Keys of SUPPRESSIONS.

    Raises:
        UserError: Shots or images below 1, an unknown mitigation, a negative seed, or jobs without room for images.
    """

    backend: Any = "fake_paris"
    images: int | None = None
    shots: int = 1024
    mitigation: str = "affine"
    seed: int = 0
    job_rows: int | None = None
    suppression: tuple[str, ...] = ()

    def __post_init__(self):
        """Refuse what no device run can do."""
        if self.shots < 1:
            raise UserError(f"`shots` must be at least 1; got {self.shots}.")
        if self.mitigation not in METHODS:
            raise unknown_name("mitigation", self.mitigation, METHODS)
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"`seed` must be at least 0 and at most {MAX_SEED}; got {self.seed}.")
        if self.images is not None and self.images < 1:
            raise UserError(f"`images` must be at least 1; got {self.images}.")
        if self.job_rows is not None and self.job_rows <= CALIBRATION_ROWS:
            raise UserError(
                f"`job_rows` must be above {CALIBRATION_ROWS}, the calibration rows that a job begins with; got "
                f"{self.job_rows}."
            )
