"""Every objective of the table, and one of a user's own, through the same doors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.models.build import build_simclr
from qssl_tf.objectives.table import OBJECTIVES, Objective

SHAPE = (8, 8, 1)
AUGMENTATION = AUGMENTATIONS["digits"](8)
SMALL = {"width": 2, "layers": 1, "batch_size": 8, "queue_size": 12}
# Settings that an objective needs: overlaps reach weights between data alone, and only circuits have states.
NEEDED = {"fidelity": {"head": "quantum", "encoding": "reuploading", "layers": 2}}


def learner(**settings):
    needed = NEEDED.get(settings.get("objective", ""), {})
    return build_simclr(q.Config(**SMALL | settings | needed), SHAPE, AUGMENTATION)


def batch(steps=1):
    """Return a data set of two views with labels, one of them unknown."""
    rng = np.random.default_rng(0)
    views = [rng.random((8, *SHAPE), np.float32) for _ in range(2)]
    labels = np.array([0, 1, 2, 0, 1, 2, 0, -1], np.int32)
    return tf.data.Dataset.from_tensors((*views, labels)).repeat(steps)


@pytest.mark.parametrize("head", ["quantum", "classical"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_reaches_every_weight_and_files_keep_all(objective, head, tmp_path):
    model = learner(objective=objective, head=head)
    before = [variable.numpy() for variable in model.trainable_variables]
    loss = model.fit(batch(), verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    for variable, start in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all() and np.abs(variable.numpy() - start).max() > 0, variable.path
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for mine, its in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert again.loss.get_config() == model.loss.get_config()
    assert (again.predictor is None, again.target is None) == (model.predictor is None, model.target is None)
    judged, found = (each.evaluate(batch(), return_dict=True, verbose=0) for each in (model, again))
    assert found == pytest.approx(judged, rel=1e-5)
    again.fit(batch(), verbose=0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_table_says_which_parts_there_are(objective):
    needs, model = OBJECTIVES[objective], learner(objective=objective, head="identity")
    assert (model.predictor is not None, model.target is not None, model.queue is not None) == (
        needs.predictor,
        needs.target,
        needs.queue,
    )
    assert getattr(model.loss, "takes_labels", False) == needs.labels
    assert model.loss.name == objective


@pytest.mark.parametrize(
    ("objective", "expected"),
    [("nt_xent", np.log(15)), ("decoupled", np.log(14)), ("moco", np.log(13)), ("supervised", np.log(15))],
)
def test_the_loss_of_equal_embeddings_is_the_logarithm_of_what_is_compared(objective, expected):
    assert OBJECTIVES[objective].equal_loss(q.Config(**SMALL)) == pytest.approx(expected)


NEEDS = {
    "a queue without a target": (
        {"queue": True},
        "`queue` must come with `target`, whose embeddings it keeps; got queue=True and target=False.",
    ),
    "labels and a predictor": (
        {"labels": True, "predictor": True},
        "`labels` must come without `predictor` and `target`, since the loss gets labels in place of other embeddings; "
        "got predictor=True and target=False.",
    ),
}


@pytest.mark.parametrize("case", NEEDS)
def test_needs_that_do_not_go_together(case):
    needs, sentence = NEEDS[case]
    with pytest.raises(q.UserError) as caught:
        Objective(lambda config: None, "mine", **needs)
    assert str(caught.value) == sentence


def test_labels_that_are_not_there():
    model = learner(objective="supervised", head="identity")
    with pytest.raises(q.UserError) as caught:
        model.fit(batch().map(lambda a, b, labels: (a, b)), verbose=0)
    assert str(caught.value) == "the loss takes labels, and batches have none; give (view_a, view_b, labels)."


def test_a_queue_that_is_shorter_than_a_batch():
    with pytest.raises(q.UserError) as caught:
        learner(objective="moco", queue_size=7)
    assert str(caught.value) == (
        "`queue_size` must hold the keys of a batch at least, 8; got 7; take more, or a smaller `batch_size`."
    )


def test_labels_change_nothing_for_those_who_take_none():
    losses = []
    for data in (batch(2), batch(2).map(lambda a, b, labels: (a, b))):
        losses.append(learner(head="classical").fit(data, verbose=0).history["loss"])
    assert losses[0] == losses[1]


# Setting -> how far its losses may be from those of the plain step, relative.
WAYS = {
    "xla_step": ({"xla_step": True}, 1e-3),
    "recompute_blocks": ({"recompute_blocks": True}, 1e-3),
    "chunks of a view": ({"chunk_size": 8}, 1e-3),
    "bfloat16": ({"precision": "bfloat16"}, 0.1),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("objective", ["byol", "moco", "supervised"])
def test_other_ways_take_the_same_steps(objective, way):
    """Of predictor, target network, queue and labels, by the plain step's losses before and after a step."""
    settings, tolerance = WAYS[way]
    losses = []
    for changes in ({}, settings):
        model = learner(objective=objective, head="classical", width=4, learning_rate=1e-4, **changes)
        model.step_logs = True
        losses.append([model.fit(batch(), verbose=0).history["loss"][0] for _ in range(2)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=tolerance, atol=tolerance / 10)
