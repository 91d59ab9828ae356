import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.data.augment import AUGMENTATIONS, Augmentation
from qssl_tf.data.pipeline import (
    PRETRAIN,
    drawn_batches,
    epoch_order,
    image_batches,
    image_draws,
    pair_maker,
    view_maker,
    view_pairs,
)
from qssl_tf.data.transform import RandomTransform


class Identity(RandomTransform):
    """Returns images unchanged, so that a test can identify them."""

    def call(self, images, draws):
        return images


@pytest.fixture
def numbered_images():
    """Ten images whose pixels are their index."""
    return np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)


def numbers_of(batch):
    return np.round(batch.numpy()[:, 0, 0, 0] * 255).astype(int).tolist()


def test_each_epoch_is_a_new_order_of_different_images(numbered_images):
    pairs = list(view_pairs(numbered_images, Augmentation([Identity()]), batch_size=3, seed=5, steps=9))
    epochs = [sum((numbers_of(a) for a, _ in pairs[start : start + 3]), []) for start in (0, 3, 6)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)  # nine of ten, none twice; the last partial batch is dropped
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert all(numbers_of(a) == numbers_of(b) for a, b in pairs)


def test_a_resumed_pipeline_gives_the_same_bits(digits_data):
    arguments = (digits_data.train.images, AUGMENTATIONS["digits"](8), 64)
    all_pairs = list(view_pairs(*arguments, seed=1, steps=30))
    rest = list(view_pairs(*arguments, seed=1, steps=30, start=23))
    for (a, b), (c, d) in zip(all_pairs[23:], rest, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_a_view_depends_on_seed_step_and_image_alone(digits_data):
    recipe = AUGMENTATIONS["digits"](8)
    images = tf.constant(digits_data.train.images[:6], tf.float32) / 255
    rows, step = tf.range(6), tf.constant(11)
    full_batch, other_view = view_maker(recipe, 3)(images, step, rows)
    part, _ = view_maker(recipe, 3)(images[2:4], step, rows[2:4])
    np.testing.assert_allclose(full_batch[2:4], part, atol=1e-6)
    for changed in (
        other_view,
        view_maker(recipe, 4)(images, step, rows)[0],
        view_maker(recipe, 3)(images, step + 1, rows)[0],
        view_maker(recipe, 3)(images, step, rows + 6)[0],
    ):
        assert np.mean(np.max(np.abs(changed - full_batch), axis=(1, 2, 3)) > 1e-3) > 0.6  # some draws change nothing


def test_draws_are_uniform_and_independent():
    u = image_draws(0, PRETRAIN, tf.constant(5), tf.range(4000), 3).numpy()
    assert u.min() >= 0 and u.max() < 1
    assert np.abs(u.mean(axis=0) - 0.5).max() < 5 * (1 / 12 / 4000) ** 0.5
    assert np.abs(np.corrcoef(u.T) - np.eye(3)).max() < 5 / 4000**0.5


def test_large_seeds_fit():
    assert np.all(image_draws(2**31 - 1, PRETRAIN, tf.constant(0), tf.range(2), 2).numpy() < 1)
    assert sorted(epoch_order(7, 2**31 - 1, tf.constant(3)).numpy()) == list(range(7))


def test_image_batches_cover_all_images_in_order(numbered_images):
    batches = list(image_batches(numbered_images, 4))
    assert sum(map(numbers_of, batches), []) == list(range(10))
    assert [len(batch) for batch in batches] == [4, 4, 2]


def test_augmented_passes_differ_by_number_and_not_by_batch(digits_data):
    images, recipe = digits_data.test.images[:20], AUGMENTATIONS["digits"](8, 0.8)
    first = np.concatenate(list(image_batches(images, 20, recipe, seed=1, number=0)))
    again = np.concatenate(list(image_batches(images, 6, recipe, seed=1, number=0)))
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert np.any(first != np.concatenate(list(image_batches(images, 20, recipe, seed=1, number=1))))


@pytest.mark.parametrize("shards", [2, 4])
def test_the_shards_of_a_step_are_its_batch(digits_data, shards):
    """Distributed as over workers with several devices, of which the first may have shards 0 and 1 of 4."""
    arguments = (digits_data.train.images, AUGMENTATIONS["digits"](8), 64)
    all_pairs = list(view_pairs(*arguments, seed=1, steps=25, start=20))  # the second epoch begins at step 22
    per_worker = shards // 2
    workers = [
        list(
            view_pairs(
                *arguments, seed=1, steps=25, start=20, shards=shards, shard_indices=range(first, first + per_worker)
            )
        )
        for first in range(0, shards, per_worker)
    ]
    for number, judge in enumerate(all_pairs):
        parts = [pair for worker in workers for pair in worker[number * per_worker : (number + 1) * per_worker]]
        for view in (0, 1):
            assert {len(part[view]) for part in parts} == {64 // shards}
            batch = np.concatenate([part[view] for part in parts])
            np.testing.assert_allclose(batch, judge[view], atol=1e-6)
    assert {len(worker) for worker in workers} == {len(all_pairs) * per_worker}


def test_without_a_last_step_it_repeats_forever(numbered_images):
    pairs = view_pairs(numbered_images, Augmentation([Identity()]), batch_size=3, seed=5, steps=None, start=2)
    numbers = [numbers_of(a) for a, _ in pairs.take(20)]
    assert numbers[:7] == [
        numbers_of(a) for a, _ in view_pairs(numbered_images, Augmentation([Identity()]), 3, 5, steps=9, start=2)
    ]
    assert len(numbers) == 20


@pytest.mark.parametrize("recipe", AUGMENTATIONS)
def test_views_made_of_drawn_batches_are_those_made_ahead(recipe):
    """What `views_in_step` does: bytes and draws first, the views of them later and elsewhere."""
    channels = 1 if recipe == "digits" else 3
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12, channels)).astype(np.uint8)
    arguments = {"batch_size": 8, "seed": 3, "steps": 7, "start": 2, "shards": 2, "shard_indices": (1, 0)}
    augment = AUGMENTATIONS[recipe](12)
    ahead = list(view_pairs(images, augment, **arguments))
    drawn = list(drawn_batches(images, augment, **arguments))
    assert len(ahead) == len(drawn) == 10
    for pair, (pixels, draws) in zip(ahead, drawn, strict=True):
        assert pixels.dtype == tf.uint8 and pixels.shape[0] == draws.shape[0] == 4
        for view, later in zip(pair, pair_maker(augment)(pixels, draws), strict=True):
            np.testing.assert_allclose(later, view, atol=1e-6)
