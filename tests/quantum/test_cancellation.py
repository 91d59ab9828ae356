"""The weights said to cancel have no gradient, and those said to stay have one."""

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.errors import UserError
from qssl_tf.quantum.cancellation import refuse_cancelled, weights_in_overlaps
from qssl_tf.quantum.overlaps import mixed_overlaps, pure_overlaps, state_rows
from qssl_tf.quantum.spec import circuit_spec

CIRCUITS = [
    ("ring", "angle", ()), ("ring", "zz", ()), ("ring", "amplitude", ()), ("ring", "reuploading", ()),
    ("tdcnot", "reuploading", ()), ("strongly_entangling", "reuploading", (0,)), ("farhi", "angle", (0, 2)),
    ("ring", "angle", (0, 1)), ("strongly_entangling", "angle", (1,)), ("sim19", "angle_y", (2,)),
]  # fmt: skip


@pytest.mark.parametrize(("ansatz", "encoding", "kept"), CIRCUITS)
def test_only_weights_that_stay_have_a_gradient(ansatz, encoding, kept):
    spec = circuit_spec(3, ansatz, 2, encoding)
    rng = np.random.default_rng(1)
    inputs = rng.uniform(0, np.pi, (6, spec.input_size)).astype(np.float32)
    angles = tf.constant(spec.encoding.angles(inputs, np, 3).astype(np.float32))
    weights, largest = tf.constant(rng.normal(size=len(spec.weights)), tf.float32), np.zeros(len(spec.weights))
    of_rows, overlaps = state_rows(spec, kept), mixed_overlaps if kept else pure_overlaps
    for row in range(3):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            rows = of_rows(angles, weights)
            value = overlaps(rows[row : row + 1], rows[row + 3 : row + 4])
        gradient = tape.gradient(value, weights)
        largest = np.maximum(largest, 0 if gradient is None else np.abs(gradient.numpy()))
    staying = np.array([symbol in weights_in_overlaps(spec, kept) for symbol in spec.weights])
    assert (largest[~staying] < 1e-5).all()
    assert staying.any() == (bool(kept) or encoding == "reuploading")
    assert (largest[staying] > 1e-4).sum() >= 0.7 * staying.sum()  # a few turn about the axis of what they act on


def test_a_circuit_whose_weights_all_cancel_is_refused_with_the_reason():
    with pytest.raises(UserError) as refused:
        refuse_cancelled(circuit_spec(3))
    assert str(refused.value) == (
        "an overlap of states would train no weight of this circuit: all gates with weights stand behind the encoding "
        "'angle' and turn both states alike, so they cancel in |<0|S(x)^+ W^+ W S(y)|0>|^2, which leaves prod "
        "cos^2((x-y)/2); take `encoding='reuploading'` with two layers or more, `overlap_qubits` that leave out qubits "
        "entangled with those kept, or `train_head=False` to train the encoder alone."
    )
    with pytest.raises(UserError, match=r"'reuploading' and turn both states alike.*S\(y\)\|0>\|\^2; take"):
        refuse_cancelled(circuit_spec(3, layers=1, encoding="reuploading"))
    refuse_cancelled(circuit_spec(3, encoding="reuploading"))
    refuse_cancelled(circuit_spec(3), (0, 1))
    with pytest.raises(UserError, match="all gates with weights that reach the kept qubits stand behind"):
        refuse_cancelled(circuit_spec(3, "none"), (0, 1))  # nothing entangles the kept qubits with the other
