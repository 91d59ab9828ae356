"""Fidelity: NT-Xent in which the overlap of two views' quantum states takes the place of their cosine."""

from typing import Any

import keras
import tensorflow as tf

from qssl_tf.config import checked
from qssl_tf.errors import UserError
from qssl_tf.objectives.contrastive import NTXent, masked_logits
from qssl_tf.quantum import overlap_tests
from qssl_tf.quantum.overlap_tests import estimated_overlaps, symmetric
from qssl_tf.quantum.overlaps import check_kept, mixed_overlaps, pure_overlaps, row_size
from qssl_tf.registry import check_word


@keras.saving.register_keras_serializable(package="qssl_tf")
class Fidelity(NTXent):
    """NT-Xent of overlaps |<psi(x)|psi(y)>|^2 in place of cosines (arXiv:2511.13497; overlaps as in arXiv:2001.03622).

    `call(rows_a, rows_b)` takes states as the rows of `quantum.overlaps.state_rows`, shape (n, size), and returns (n,):
    for each image, the mean over its two views of -log softmax of the positive pair's overlap, divided by the
    temperature, among the 2n - 1 other views. With some qubits left out it compares Tr(rho sigma) of the others.

    With shots, the loss is that of overlaps estimated by a test on a device, each pair measured once, and the gradient
    is that of the exact overlaps at the estimated loss (straight-through), which a device could only estimate.

    Args:
        temperature: Divides the overlaps, which lie between 0 and 1; positive.
        width: Number of qubits.
        overlap_qubits: Those that are compared; none given are all.
        overlap_test: How shots are taken, a name of `quantum.overlap_tests.OVERLAP_TESTS`.
        shots: Measurements of each pair; None compares exact overlaps.
        seed: Of the shots.

    Attributes:
        seeds: The generator of the shots' seeds, part of what training goes on from; None without shots.

    Raises:
        UserError: An argument of the wrong type or out of range, or a test that cannot compare these qubits.
    """

    def __init__(
        self,
        temperature: float = 0.2,
        width: int = 8,
        overlap_qubits: tuple[int, ...] = (),
        overlap_test: str = "inversion",
        shots: int | None = None,
        seed: int = 0,
        reduction: str = "sum_over_batch_size",
        name: str = "fidelity",
        dtype: Any = None,
    ):
        """Store the settings."""
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)
        self.width, self.shots, self.seed = checked("width", width), checked("shots", shots), checked("seed", seed)
        self.overlap_qubits = checked("overlap_qubits", overlap_qubits)
        check_word("overlap_test", checked("overlap_test", overlap_test))
        self.overlap_test = overlap_test
        self._kept = check_kept(self.overlap_qubits, self.width)
        self._test = (
            None if self.shots is None else overlap_tests.overlap_test(overlap_test, len(self._kept), self.width)
        )
        self.seeds = None if self.shots is None else keras.random.SeedGenerator(self.seed)

    def call(self, y_true, y_pred):
        """Return the loss of each image; the two arguments are symmetric.

        Raises:
            UserError: The arguments are not two tables of states of one shape.
        """
        size = row_size(len(self._kept), self.width)
        if y_true.shape[-1] != size:
            raise UserError(
                f"Fidelity must be given states of {len(self._kept)} of {self.width} qubits, shape (n, {size}); got "
                f"{tuple(y_true.shape)}."
            )
        return super().call(y_true, y_pred)

    def logits(self, z_a, z_b):
        """Return the overlaps of all 2n views over the temperature, exact or from shots."""
        overlaps = self.overlaps(z_a, z_b)
        if self._test is not None and self.seeds is not None:
            seed = tf.cast(self.seeds.next(), tf.int32)
            estimates = symmetric(estimated_overlaps(overlaps, self._test, self.shots, seed))
            overlaps += tf.stop_gradient(estimates - overlaps)
        return masked_logits(overlaps, self.temperature)

    def exact_logits(self, z_a: tf.Tensor, z_b: tf.Tensor, temperature: float) -> tf.Tensor:
        """Return the exact overlaps of all 2n views over a temperature, as `contrastive_logits` does cosines."""
        return masked_logits(self.overlaps(z_a, z_b), temperature)

    def overlaps(self, z_a: tf.Tensor, z_b: tf.Tensor) -> tf.Tensor:
        """Return the exact overlaps of all 2n views, shape (2n, 2n)."""
        rows = tf.concat([z_a, z_b], axis=0)
        return (pure_overlaps if len(self._kept) == self.width else mixed_overlaps)(rows, rows)

    def get_config(self):
        """Return the constructor's arguments."""
        names = ("width", "overlap_qubits", "overlap_test", "shots", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}
