"""Steps in chunks, judged by Keras's own layers with all chunks on one tape; steps by blocks, by the step at once."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.shards import plain_parts, plain_step

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.batches import Batch
from qssl_tf.models.build import build_simclr
from qssl_tf.models.simclr import SimCLR
from qssl_tf.objectives.contrastive import NTXent
from qssl_tf.training.runs import open_run

VIEWS = tuple(tf.random.stateless_uniform((16, 6, 6, 1), (3, view)) for view in (0, 1))


def stepped(norm=BatchNormalization, dropout=0.0, head=None, **settings):
    """Return the weights before a step of SGD, its loss, and the weights and statistics after it."""
    encoder, projector = plain_parts(norm, dropout)
    model = SimCLR(encoder, head or keras.layers.Identity(), projector, **settings)
    model.compile(keras.optimizers.SGD(0.1), loss=NTXent(0.2))
    start = model.get_weights()
    loss = model.train_on_batch(*VIEWS)[0]
    return start, loss, model.get_weights(), [variable.numpy() for variable in encoder.non_trainable_variables]


def parts(found, expected, start):
    """Return the largest distance to what is expected, in parts of the way from the start."""
    way = max(np.abs(a - b).max() for a, b in zip(expected, start, strict=True))
    return max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True)) / way


@pytest.mark.parametrize("norm", [BatchNormalization, keras.layers.BatchNormalization])
@pytest.mark.parametrize("chunks", [1, 4])
def test_chunks_have_the_gradient_of_all_on_one_tape(norm, chunks):
    start, loss, weights, _ = stepped(norm, batch_statistics="local", chunk_size=16 // chunks)
    expected_loss, expected = plain_step(start, VIEWS, chunks, projector_shards=1)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert parts(weights, expected, start) < 1e-5


@pytest.mark.parametrize("settings", [{"chunk_size": 16}, {"recompute_blocks": True}], ids=["a view", "blocks"])
def test_what_keeps_global_statistics_takes_the_step_at_once(settings):
    start, loss, weights, state = stepped()
    _, again_loss, again, again_state = stepped(**settings)
    assert again_loss == pytest.approx(loss, rel=1e-6)
    assert parts(again, weights, start) < 1e-5
    assert parts(again_state, state, [np.zeros(4), np.ones(4)]) < 1e-5


def test_blocks_within_chunks_take_the_step_of_chunks():
    start, loss, weights, _ = stepped(batch_statistics="local", chunk_size=4)
    _, again_loss, again, _ = stepped(batch_statistics="local", chunk_size=4, recompute_blocks=True)
    assert again_loss == pytest.approx(loss, rel=1e-6)
    assert parts(again, weights, start) < 1e-5


@pytest.mark.parametrize("recompute_blocks", [False, True])
def test_dropout_draws_the_same_in_both_passes(recompute_blocks):
    """Keras's layers on one tape drop once, with the same seeds; a second draw changes a third of the gradient."""
    settings = {"batch_statistics": "local", "chunk_size": 4, "recompute_blocks": recompute_blocks}
    start, loss, weights, state = stepped(dropout=0.5, **settings)
    expected_loss, expected = plain_step(start, VIEWS, 4, projector_shards=1, dropout=0.5)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert parts(weights, expected, start) < 1e-5
    seeds = keras.random.SeedGenerator(1)
    for _ in range(8):  # four chunks of two views
        seeds.next()
    np.testing.assert_array_equal(state[-1], seeds.state)


def test_a_resnet_in_blocks_has_the_gradient_of_all_at_once():
    """Of 64 images; a single product differs in its last bits, by which a ReLU may switch, so norms are compared."""
    batch = Batch(tuple(tf.random.stateless_uniform((64, 32, 32, 3), (5, view)) for view in (0, 1)))
    found = []
    for recompute_blocks in (False, True):
        config = q.Config(encoder="resnet18", batch_size=64, width=4, seed=3, recompute_blocks=recompute_blocks)
        model = build_simclr(config, (32, 32, 3), augmentation(config, (32, 32, 3)))
        gradients = tf.function(lambda model=model: model._gradients(batch)[2], autograph=False)()
        found.append([part.numpy().ravel() for part in gradients])
    once, again = (np.concatenate(parts) for parts in found)
    assert np.linalg.norm(again - once) < 1e-5 * np.linalg.norm(once)


SMALL = q.Config(width=2, layers=1, batch_size=16)
SHAPE = (8, 8, 1)
CASES = {
    "exact": {},
    "shots": {"shots": 20, "gradient": "parameter_shift"},
    "spsa": {"shots": 20, "gradient": "spsa"},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16", "encoder": "few"},
    "one program": {"xla_step": True, "encoder": "few"},
    "blocks in one program": {"xla_step": True, "recompute_blocks": True},
    "classical": {"head": "classical", "angle_norm": True},
}


def losses(config, count=3):
    """Return the losses of some steps on the same views."""
    model = build_simclr(config, SHAPE, augmentation(config, SHAPE))
    views = tuple(tf.random.stateless_uniform((16, *SHAPE), (7, view)) for view in (0, 1))
    model.step_logs = True
    pairs = tf.data.Dataset.from_tensors(views).repeat(count)
    return model.fit(pairs, epochs=count, steps_per_epoch=1, verbose=0).history["loss"]


@pytest.fixture
def few(own_words):
    """An encoder of one convolution without batch norm, which needs no statistics."""

    @q.register_encoder("few")
    def few(shape):
        last = [keras.layers.Conv2D(4, 3, strides=2, activation="relu"), keras.layers.GlobalAveragePooling2D()]
        return keras.Sequential([keras.Input(shape), *last])


@pytest.mark.parametrize("case", CASES)
def test_whatever_the_head_and_the_numbers_are(few, case):
    """A view at a time where there is batch norm, else a quarter; shots are those of the rows of the whole batch."""
    config = replace(SMALL, **CASES[case])
    chunks = replace(config, chunk_size=4 if config.encoder == "few" else 16)
    tolerance = 2e-2 if "16" in case else 1e-4  # 8 and 11 bits of a number
    np.testing.assert_allclose(losses(chunks), losses(replace(config, recompute_blocks=False)), rtol=tolerance)


def test_a_run_in_chunks_goes_on_to_the_bits_it_would_have_had(tmp_path):
    chunks = {"chunk_size": 8, "batch_statistics": "local", "views_in_step": True}
    config = replace(SMALL, steps=4, batch_size=32, checkpoint_every=2, **chunks)
    whole = q.pretrain(config=config, runs_dir=tmp_path, name="whole")
    half = open_run(q.pretrain(config=config, runs_dir=tmp_path, name="half").folder)
    half.state.unlink()
    half.previous_state.rename(half.state)  # of step 2
    gone_on = q.resume(half.folder)
    for first, second in zip(whole.model.weights, gone_on.model.weights, strict=True):
        np.testing.assert_array_equal(first, second)


REFUSED = {
    "part of a chunk": (
        {"chunk_size": 5, "batch_statistics": "local"},
        "`chunk_size` must divide the images of a view that a replica has, 16; got 5.",
    ),
    "global": (
        {"chunk_size": 4},
        "`chunk_size=4` would normalise each chunk on its own, and `batch_statistics` is global; take "
        "`batch_statistics='local'`, or `recompute_blocks=True` without chunks, whose gradient is that of the whole "
        "batch.",
    ),
    "one row": ({"chunk_size": 1}, "`chunk_size` must be at least 2; got 1."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line(case, tmp_path):
    settings, sentence = REFUSED[case]
    with pytest.raises(q.UserError) as caught:
        q.pretrain(config=replace(SMALL, **settings), runs_dir=tmp_path, name="a")
    assert str(caught.value) == sentence
    assert not (tmp_path / "a").exists()


def test_blocks_are_for_one_device(monkeypatch):
    monkeypatch.setattr(type(tf.distribute.get_strategy().extended), "_num_replicas_in_sync", 2)
    config = replace(SMALL, recompute_blocks=True)
    with pytest.raises(q.UserError) as caught:
        build_simclr(config, SHAPE, augmentation(config, SHAPE))
    assert str(caught.value) == (
        "`recompute_blocks=True` is for one device; got a strategy with 2 replicas; take `chunk_size` with "
        "`batch_statistics='local'` there."
    )
