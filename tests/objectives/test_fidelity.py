"""The loss of overlaps against a loop from its definition on Cirq's states, and runs that train by it."""

from dataclasses import replace

import cirq
import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.cirq_values import symbol_values

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.errors import UserError
from qssl_tf.models.build import build_simclr
from qssl_tf.objectives.contrastive import contrastive_accuracy
from qssl_tf.objectives.fidelity import Fidelity
from qssl_tf.quantum.overlaps import state_rows
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.training.checkpoints import restore_state, state_variables
from qssl_tf.training.fit import build
from qssl_tf.training.runs import open_run

SPEC = circuit_spec(3, "ring", 2, "reuploading")
SMALL = q.Config(
    objective="fidelity", width=3, encoding="reuploading", batch_size=16, steps=3, checkpoint_every=1, temperature=0.2
)


def drawn(n=3):
    rng = np.random.default_rng(2)
    return rng.uniform(0, np.pi, (2 * n, 3)).astype(np.float32), rng.normal(size=len(SPEC.weights)).astype(np.float32)


def cirq_overlaps(inputs, weights, kept):
    simulator = cirq.Simulator(dtype=np.complex128)
    rhos = []
    for values in symbol_values(SPEC, inputs, weights):
        state = simulator.simulate(SPEC.circuit, values, qubit_order=SPEC.qubits).final_state_vector
        rhos.append(cirq.density_matrix_from_state_vector(state, indices=kept))
    return np.array([[np.trace(a @ b).real for b in rhos] for a in rhos])


def by_hand(overlaps, temperature):
    """Return the loss of each image: the mean over its views of -log softmax of the other view's overlap."""
    n, losses = len(overlaps) // 2, []
    for view in range(2 * n):
        others = [np.exp(overlaps[view, other] / temperature) for other in range(2 * n) if other != view]
        losses.append(-np.log(np.exp(overlaps[view, (view + n) % (2 * n)] / temperature) / sum(others)))
    return (np.array(losses[:n]) + losses[n:]) / 2


@pytest.mark.parametrize("kept", [(0, 1, 2), (0, 2)])
def test_the_loss_is_nt_xent_of_cirqs_overlaps(kept):
    inputs, weights = drawn()
    chosen = () if len(kept) == 3 else kept
    rows = state_rows(SPEC, chosen)(tf.constant(inputs), tf.constant(weights))
    loss = Fidelity(0.3, 3, chosen, reduction="none")
    overlaps = cirq_overlaps(inputs, weights, kept)
    np.testing.assert_allclose(loss(rows[:3], rows[3:]), by_hand(overlaps, 0.3), rtol=1e-4)
    nearest = np.argmax(overlaps - 2 * np.eye(6), axis=1)
    judge = nearest == np.roll(np.arange(6), 3)
    np.testing.assert_array_equal(contrastive_accuracy(rows[:3], rows[3:], loss.exact_logits), judge)


@pytest.mark.parametrize("test", ["inversion", "swap", "destructive_swap"])
def test_shots_scatter_about_the_exact_overlaps_and_keep_their_gradient(test):
    inputs, weights = drawn()
    rows = state_rows(SPEC)(tf.constant(inputs), tf.constant(weights))
    exact, sampled = Fidelity(1.0, 3), Fidelity(1.0, 3, overlap_test=test, shots=50, seed=1)
    judge = exact.logits(rows[:3], rows[3:]).numpy()
    draws = np.array([sampled.logits(rows[:3], rows[3:]).numpy() for _ in range(150)])
    pairs = np.triu_indices(6, 1)
    overlaps, found = judge[pairs], draws[:, *pairs]
    deviation = np.sqrt((overlaps * (1 - overlaps) if test == "inversion" else 1 - overlaps**2) / 50)
    np.testing.assert_array_less(abs(found.mean(axis=0) - overlaps), 5 * deviation / np.sqrt(150) + 1e-6)
    np.testing.assert_allclose(found.std(axis=0), deviation, rtol=0.3)
    np.testing.assert_array_equal(draws, draws.transpose(0, 2, 1))  # each pair is measured once
    slopes = []
    for loss in (exact, sampled):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            total = tf.reduce_sum(tf.linalg.band_part(loss.logits(rows[:3], rows[3:]), 0, -1)[0, 1:])
        slopes.append(tape.gradient(total, rows))
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-6)


def test_a_loss_is_kept_with_its_settings():
    loss = Fidelity(0.3, 4, (0, 1), "swap", 20, 7)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, Fidelity) and again.get_config() == loss.get_config()


def test_other_tables_are_refused():
    with pytest.raises(
        UserError, match=r"Fidelity must be given states of 3 of 3 qubits, shape \(n, 16\); got \(2, 8\)"
    ):
        Fidelity(0.3, 3)(tf.zeros((2, 8)), tf.zeros((2, 8)))


def small(**changes):
    return build_simclr(replace(SMALL, **changes), (8, 8, 1), AUGMENTATIONS["digits"](8))


def test_the_models_embeddings_are_its_heads_states(digits_data):
    model = small()
    images = digits_data.train.images[:4] / np.float32(255)
    weights, angles = model.head.parameters.numpy(), model.encoder(images).numpy()
    judge = cirq.Simulator(dtype=np.complex128)
    for row, values in zip(model(images).numpy(), symbol_values(model.head.spec, angles, weights), strict=True):
        state = judge.simulate(model.head.spec.circuit, values, qubit_order=model.head.spec.qubits).final_state_vector
        assert abs(np.vdot(row[:8] + 1j * row[8:], state)) == pytest.approx(1, abs=1e-5)
    assert not model.projector.trainable_variables
    path_config = model.get_config()
    assert path_config["overlap_qubits"] == []
    assert q.SimCLR.from_config(path_config).overlap_qubits == ()


def test_a_run_with_shots_goes_on_to_the_same_bits(tmp_path, digits_data):
    settings = replace(SMALL, shots=20, overlap_test="swap")
    whole = q.pretrain(config=settings, runs_dir=tmp_path, name="whole")
    run = open_run(whole.folder)
    model, _ = build(run.config, digits_data)
    assert restore_state(run, model) == 3
    drawn_seeds = model.loss.seeds.state.numpy()
    assert any(variable is model.loss.seeds.state for variable in state_variables(model))
    assert drawn_seeds[1] > 0  # shots go on where they were
    before = build(run.config, digits_data)[0].head.parameters.numpy()
    assert abs(model.head.parameters.numpy() - before).max() > 1e-4  # weights between the data are trained
    assert q.load_run(whole.folder).features(digits_data.test.images[:3]).shape == (3, 3)


REFUSED = {
    "head": (
        {"head": "classical", "encoding": "angle"},
        "states are compared where the head is a circuit; got Sequential; take `head='quantum'`, or another "
        "`objective` than fidelity.",
    ),
    "noise": (
        {"noise": "depolarizing=0.01", "encoding": "angle", "overlap_qubits": (0,)},
        "`noise` must be none where states are compared: noise leaves mixed states; got depolarizing=0.01.",
    ),
    "partial_measurement": (
        {"partial_measurement": True},
        "`partial_measurement` must be false where states are compared: a measurement leaves mixed states; got true.",
    ),
    "gradient": (
        {"shots": 10, "gradient": "parameter_shift"},
        "`gradient` must be adjoint where states are compared: overlaps are differentiated exactly, also where they "
        "are estimated from shots; got parameter_shift.",
    ),
    "projector": (
        {"projector": (8, 4)},
        "`projector` must be none with `objective='fidelity'`, which compares the states in front of it; got [8, 4].",
    ),
    "overlap_test": (
        {"overlap_qubits": (0, 1), "shots": 10},
        "`overlap_test` must be swap or destructive_swap where `overlap_qubits` leaves some out, whose states "
        "inversion cannot undo; got 'inversion' with 2 of 3 qubits.",
    ),
    "overlap_qubits": (
        {"overlap_qubits": (0, 3)},
        "`overlap_qubits` must be different qubits from 0 to 2 at `width` 3; got [0, 3].",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(case):
    changes, line = REFUSED[case]
    with pytest.raises(UserError) as refused:
        small(**changes)
    assert str(refused.value) == line


def test_a_circuit_whose_weights_cancel_is_refused_unless_it_is_not_trained():
    with pytest.raises(UserError, match="an overlap of states would train no weight of this circuit"):
        small(encoding="angle")
    assert small(encoding="angle", train_head=False).overlap_qubits == ()
    assert small(encoding="angle", overlap_qubits=(0, 1)).overlap_qubits == (0, 1)


def test_overlaps_beyond_memory_are_refused(monkeypatch):
    monkeypatch.setattr("qssl_tf.quantum.simulators.available", lambda: 2**25)
    with pytest.raises(
        UserError, match=r"`width` 3 needs about 0.13\d+ GB of memory for the overlaps of 2048 states; "
    ):
        small(batch_size=1024)
