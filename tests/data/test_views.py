"""Sample views equal those of training."""

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import epoch_order, view_pairs
from qssl_tf.data.sources import prepare
from qssl_tf.data.views import sample_views
from qssl_tf.errors import UserError

CONFIG = Config(seed=3, batch_size=20)
DATA = ImageData.from_arrays(np.random.default_rng(0).random((20, 8, 8)), test_fraction=0)


def test_samples_are_the_views_of_the_first_step():
    images, *views = sample_views(DATA, CONFIG, 20)
    np.testing.assert_array_equal(np.rint(255 * images), DATA.train.images)
    batch = next(iter(view_pairs(DATA.train.images, augmentation(CONFIG, (8, 8, 1)), 20, CONFIG.seed, steps=1)))
    order = epoch_order(20, CONFIG.seed, 0).numpy()
    for view, training_view in zip(views, batch, strict=True):
        np.testing.assert_allclose(view[order], training_view, atol=1e-6)
    assert np.abs(views[0] - views[1]).max() > 0.1


def test_the_augmentation_is_that_of_the_settings():
    _, view_a, view_b = sample_views(DATA, Config(augmentation="digits", seed=3), 4)
    other_seed = sample_views(DATA, Config(augmentation="digits", seed=4), 4)[1]
    assert view_a.shape == view_b.shape == (4, 8, 8, 1) and view_a.dtype == np.float32
    assert view_a.min() >= 0 and view_a.max() <= 1 and np.abs(view_a - other_seed).max() > 0.1


@pytest.mark.parametrize("count", [0, 21])
def test_there_must_be_enough_images(count):
    with pytest.raises(UserError) as error:
        sample_views(DATA, CONFIG, count)
    assert str(error.value) == f"`count` must be from 1 to the 20 training images; got {count}."


def test_images_are_resized_as_in_training_or_must_be_square():
    wide = ImageData.from_arrays(np.random.default_rng(0).random((20, 8, 12)), test_fraction=0)
    config = Config(image_size=10)
    images, view_a, _ = sample_views(wide, config, 3)
    assert view_a.shape == (3, 10, 10, 1)
    np.testing.assert_array_equal(
        np.rint(255 * images), prepare(wide, Config(image_size=10, batch_size=20)).train.images[:3]
    )
    with pytest.raises(
        UserError, match="images of arrays must be square; they have 8 x 12 pixels: say with `image_size`"
    ):
        sample_views(wide)
