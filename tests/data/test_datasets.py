"""Any tf.data.Dataset becomes the arrays from which it was made."""

import numpy as np
import pytest
import tensorflow as tf

from qssl_tf.data.images import ImageData
from qssl_tf.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
LABELS = np.arange(20) % 2
PAIRS = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
EQUAL = ImageData.from_arrays(IMAGES, LABELS)


@pytest.mark.parametrize(
    "dataset",
    [
        PAIRS,
        PAIRS.batch(7),
        PAIRS.map(lambda image, label: {"image": image, "label": label}),
        PAIRS.map(lambda image, label: (tf.cast(image, tf.float32) / 255, label)),
        PAIRS.map(lambda image, label: (image, label[None])).batch(7),
    ],
)
def test_it_is_read_whole(dataset):
    data = ImageData.from_dataset(dataset)
    assert data.train.fingerprint() == EQUAL.train.fingerprint()
    assert data.test.fingerprint() == EQUAL.test.fingerprint()


@pytest.mark.parametrize("change", [lambda d: d, lambda d: d.batch(7), lambda d: d.batch(7).map(lambda i, y: i)])
def test_gray_images_need_no_channel(change):
    gray = tf.data.Dataset.from_tensor_slices((IMAGES[..., 0], LABELS))
    data = ImageData.from_dataset(change(gray), test_fraction=0)
    assert (data.train.images[..., 0] == IMAGES[..., 0]).all() and len(data.train) == 20


def test_labels_may_be_strings_or_missing():
    named = PAIRS.map(lambda image, label: (image, tf.gather(["no", "yes"], label)))
    assert ImageData.from_dataset(named).class_names == ("no", "yes")
    assert ImageData.from_dataset(PAIRS.map(lambda image, label: image)).class_names == ()


def test_a_separate_test_split():
    data = ImageData.from_dataset(PAIRS, PAIRS.take(6), name="mine")
    assert (data.name, len(data.train), len(data.test)) == ("mine", 20, 6)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (IMAGES, "`train` must be a tf.data.Dataset; got a ndarray. Arrays: from_arrays."),
        (PAIRS.repeat(), "`train` must end, as it is read whole; got a data set without end. Drop its .repeat()."),
        (PAIRS.take(0), "`train` must hold images; got an empty data set."),
        (PAIRS.map(lambda i, y: {"pixels": i}), "`train` must have the key 'image'; it has pixels."),
        (PAIRS.map(lambda i, y: (i, y, y)), "`train` must give images or pairs (image, label); got 3 parts."),
        (
            tf.data.Dataset.from_generator(
                lambda: (np.zeros((side, 4, 1), np.uint8) for side in (4, 5)),
                output_signature=tf.TensorSpec((None, 4, 1), tf.uint8),
            ),
            "`train` must hold images of one size; got (4, 4, 1) and (5, 4, 1). Resize them in a .map().",
        ),
    ],
)
def test_invalid_datasets_are_refused_in_one_line(dataset, sentence):
    with pytest.raises(UserError) as error:
        ImageData.from_dataset(dataset)
    assert str(error.value) == sentence
