"""Runs of other objectives: resumed to the same bits, with labels wherever views are made, refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import drawn_batches, pair_maker, view_pairs
from qssl_tf.training.fit import shared_pairs
from qssl_tf.training.runs import open_run

SMALL = q.Config(width=2, layers=1, steps=4, batch_size=32, checkpoint_every=2, queue_size=48)


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "byol"},
        {"objective": "moco", "shots": 20, "gradient": "parameter_shift", "views_in_step": True},
        {"objective": "moco", "chunk_size": 8, "batch_statistics": "local", "head": "classical"},
        {"objective": "supervised", "head": "classical", "views_in_step": True, "recompute_blocks": True},
        {"objective": "simsiam", "head": "classical", "precision": "bfloat16"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_a_run_that_was_stopped_goes_on_to_the_bits_it_would_have_had(settings, tmp_path):
    """Predictor, target network and queue are part of the state: after step 2 they are as after an unbroken one."""
    config = replace(SMALL, **settings)
    whole = q.pretrain(config=config, runs_dir=tmp_path, name="whole")
    half = open_run(q.pretrain(config=config, runs_dir=tmp_path, name="half").folder)
    half.state.unlink()
    half.previous_state.rename(half.state)  # of step 2
    gone_on = q.resume(half.folder)
    for first, second in zip(whole.model.weights, gone_on.model.weights, strict=True):
        np.testing.assert_array_equal(first, second)
    histories = [
        np.genfromtxt(run.folder / "history.csv", delimiter=",", names=True)[["step", "loss", "contrastive_accuracy"]]
        for run in (whole, gone_on)
    ]
    np.testing.assert_array_equal(*histories)


def test_checkpoints_hold_every_part(tmp_path):
    run = q.pretrain(config=replace(SMALL, objective="moco", head="classical"), runs_dir=tmp_path, name="a")
    loaded = q.load_run(run.folder).model
    for mine, its in zip(run.model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert loaded.queue is not None and loaded.target is not None


@pytest.mark.parametrize("within", [False, True])
def test_labels_are_those_of_the_images(within):
    """Images that are their own labels, in every pixel; in shards and from a later step on too."""
    images = np.tile(np.arange(24, dtype=np.uint8)[:, None, None, None], (1, 8, 8, 1))
    labels, augment = np.arange(24), augmentation(q.Config(), (8, 8, 1))
    where = {"shards": 2, "shard_indices": (1,), "labels": labels}
    if within:
        found = list(drawn_batches(images, augment, 8, 5, 7, 2, **where))
        pairs = [(*pair_maker(augment)(pixels, draws), these) for pixels, draws, these in found]
        for pixels, _, these in found:
            np.testing.assert_array_equal(pixels[:, 0, 0, 0], these)
    else:
        pairs = list(view_pairs(images, augment, 8, 5, 7, 2, **where))
    bare = list(view_pairs(images, augment, 8, 5, 7, 2, shards=2, shard_indices=(1,)))
    assert len(pairs) == len(bare) == 5 and pairs[0][2].dtype == tf.int32
    for (view_a, view_b, these), (bare_a, bare_b) in zip(pairs, bare, strict=True):
        assert these.shape == (4,)
        if not within:  # made by another program, whose last bits may differ
            np.testing.assert_array_equal(view_a, bare_a)
            np.testing.assert_array_equal(view_b, bare_b)


def test_only_those_who_need_labels_get_them(digits_data):
    for objective, parts in (("nt_xent", 2), ("supervised", 3)):
        config = replace(SMALL, objective=objective)
        pairs = shared_pairs(
            tf.distribute.get_strategy(), config, digits_data, augmentation(config, (8, 8, 1)), steps=1, start=0
        )
        assert len(pairs.element_spec) == parts


def test_an_objective_that_needs_labels_and_images_without(tmp_path):
    data = q.ImageData.from_arrays(np.random.default_rng(0).random((40, 8, 8)))
    with pytest.raises(q.UserError) as caught:
        q.pretrain(data, replace(SMALL, objective="supervised", steps=1), runs_dir=tmp_path, name="a")
    assert str(caught.value) == (
        f"`objective='supervised'` needs labels, and the images of {data.name} have none; take images with labels, or "
        "another objective."
    )
    assert not (tmp_path / "a").exists()


def test_the_command_says_so_too(here, tmp_path):
    done = here(
        "trainers/pretrain.py", "--objective", "moco", "--queue-size", "100", "--runs-dir", str(tmp_path), "--name=a"
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "error: --queue-size must hold the keys of a batch at least, 256; got 100; take more, or a smaller "
        "--batch-size."
    )
    assert not (tmp_path / "a").exists()
