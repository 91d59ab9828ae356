"""What may be asked of a device run. Nothing here loads Qiskit: a wrong word is told at once."""

from qssl_tf.errors import UserError, unknown_name

METHODS = ("none", "readout", "affine", "zne")  # of mitigation
# Training images in front of each device run, or all where there are fewer; their exact values tell what the device
# does to each observable.
CALIBRATION_ROWS = 50
MAX_SEED = 2**31 - 1  # simulators take seeds of 64 bits, and each job's is made of this one
AFFINE_ROWS = 3  # fewest calibration rows of affine mitigation: two fix a line, the third is the first to contradict it


def check_asked(shots: int, mitigation: str, seed: int, images: int | None = None, job_rows: int | None = None) -> None:
    """Refuse what no device run can do.

    Raises:
        UserError: Shots or images below 1, an unknown mitigation, a negative seed, or jobs without room for images.
    """
    if shots < 1:
        raise UserError(f"`shots` must be at least 1; got {shots}.")
    if mitigation not in METHODS:
        raise unknown_name("mitigation", mitigation, METHODS)
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"`seed` must be at least 0 and at most {MAX_SEED}; got {seed}.")
    if images is not None and images < 1:
        raise UserError(f"`images` must be at least 1; got {images}.")
    if job_rows is not None and job_rows <= CALIBRATION_ROWS:
        raise UserError(
            f"`job_rows` must be above {CALIBRATION_ROWS}, the calibration rows that a job begins with; got {job_rows}."
        )
