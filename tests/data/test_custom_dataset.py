"""User-defined data sets."""

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.custom_dataset import register_dataset
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError


def test_it_is_read_by_name_when_it_is_needed(own_words):
    reads = []

    @register_dataset("mine")
    def mine():
        reads.append(1)
        return ImageData.from_arrays(np.zeros((20, 4, 4), np.uint8), np.arange(20) % 2, name="mine-2026")

    assert not reads
    data = load(Config(dataset="mine", batch_size=4, image_size=8))
    assert data.name == "mine-2026" and data.image_shape == (8, 8, 1) and reads == [1]


def test_other_return_values_are_refused_in_one_line(own_words):
    register_dataset("mine")(lambda: np.zeros(3))
    with pytest.raises(UserError) as error:
        load(Config(dataset="mine"))
    assert str(error.value) == (
        "`dataset` 'mine' must return qssl_tf.ImageData, as ImageData.from_arrays does; got a ndarray."
    )


def test_builtin_data_sets_cannot_be_replaced(own_words):
    with pytest.raises(UserError, match="`dataset` 'digits' is one of the library's"):
        register_dataset("digits")(lambda: None)


def test_a_folder_needs_data_dir():
    with pytest.raises(UserError, match="`data_dir` must name the folder of your images"):
        load(Config(dataset="folder"))
