"""States of a quantum head as embeddings, for objectives that compare overlaps."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.cancellation import refuse_cancelled
from qssl_tf.quantum.inputs import mask_nonfinite
from qssl_tf.quantum.overlaps import bytes_of_overlaps, check_kept, compiled_state_rows, state_simulation
from qssl_tf.quantum.simulators import refuse_overlaps_beyond_memory

# Settings of a head that its states need -> the values that serve, the first of them the one to take.
NEEDS = {"noise": ("none",), "partial_measurement": (False,), "simulator": ("auto", "xla"), "gradient": ("adjoint",)}
WHY = {
    "noise": "noise leaves mixed states",
    "partial_measurement": "a measurement leaves mixed states",
    "simulator": "states are those of this package's own simulator",
    "gradient": "overlaps are differentiated exactly, also where they are estimated from shots",
}


def head_states(head: Any, overlap_qubits: Sequence[int]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return (what the encoder gives, shape (n, inputs)) -> states, as rows of `quantum.overlaps.state_rows`.

    Rows with NaN or infinity give NaN. The head's weights are shared, and get the gradient of the rows.

    Args:
        head: A QuantumHead.
        overlap_qubits: Those that are compared; none given are all.

    Raises:
        UserError: Another head, one whose states are mixed or cannot be had, or one that is to be trained and has no
            weight that overlaps depend on.
    """
    if not isinstance(head, QuantumHead):
        raise UserError(
            f"states are compared where the head is a circuit; got {type(head).__name__}; take "
            f"{argument('head', 'quantum')}, or another {argument('objective')} than fidelity."
        )
    for name, values in NEEDS.items():
        if getattr(head, name) not in values:
            raise UserError(
                f"`{name}` must be {' or '.join(str(value).lower() for value in values)} where states are compared: "
                f"{WHY[name]}; got {str(getattr(head, name)).lower()}."
            )
    kept = check_kept(overlap_qubits, head.width)
    if head.trainable:
        refuse_cancelled(head.spec, overlap_qubits)
    of_angles = compiled_state_rows(head.spec, kept)

    def rows(inputs: tf.Tensor) -> tf.Tensor:
        x = tf.cast(inputs, tf.float32)
        angles = head.spec.encoding.angles(x, keras.ops, head.width)
        angles, weights, nan_offset = mask_nonfinite(x, angles, tf.convert_to_tensor(head.parameters))
        return of_angles(angles, weights) + nan_offset

    return rows


def refuse_untrainable(head: QuantumHead, config: Config) -> None:
    """Refuse to train by overlaps what they do not reach, or what does not fit into memory.

    Raises:
        UserError: There are layers behind the head, or the overlaps of a batch need more memory than is left.
    """
    if config.projector:
        raise UserError(
            f"`projector` must be none with {argument('objective', config.objective)}, which compares the states in "
            f"front of it; got {list(config.projector)}."
        )
    kept = len(check_kept(config.overlap_qubits, config.width))
    run = state_simulation(head.spec)
    refuse_overlaps_beyond_memory(
        config.width, 2 * config.batch_size, bytes_of_overlaps(run, 2 * config.batch_size, kept)
    )
