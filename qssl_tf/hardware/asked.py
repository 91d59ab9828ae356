"""What may be asked of a device run. Nothing here loads Qiskit: a wrong word is told at once."""

from qssl_tf.errors import UserError, unknown_name

METHODS = ("none", "readout", "affine", "zne")  # of mitigation


def check_asked(shots: int, mitigation: str, seed: int) -> None:
    """Refuse what no device run can do.

    Raises:
        UserError: Shots below 1, an unknown mitigation, or a negative seed.
    """
    if shots < 1:
        raise UserError(f"`shots` must be at least 1; got {shots}.")
    if mitigation not in METHODS:
        raise unknown_name("mitigation", mitigation, METHODS)
    if seed < 0:
        raise UserError(f"`seed` must be at least 0; got {seed}.")
