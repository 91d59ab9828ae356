import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from judges.made_tfds import write_tfds
from sklearn.datasets import load_digits

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.resizing import resize
from qssl_tf.data.sources import load, prepare
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError
from qssl_tf.presets import preset


def test_digits_are_scikit_learns(digits_data):
    assert len(digits_data.train) == 1437 and len(digits_data.test) == 360
    images = np.concatenate([digits_data.train.images, digits_data.test.images])[..., 0]
    everything = {image.tobytes() for image in images}
    assert everything == {np.round(image * 255 / 16).astype(np.uint8).tobytes() for image in load_digits().images}
    assert images.max() == 255 and np.bincount(digits_data.test.labels).min() >= 34


def test_test_images_do_not_depend_on_the_seed(digits_data):
    np.testing.assert_array_equal(load(Config(seed=9)).test.images, digits_data.test.images)


def test_validation_is_held_out_of_the_training_split_only(digits_data):
    data = load(Config(validation_fraction=0.25, seed=2))
    train, validation = ({image.tobytes() for image in split.images} for split in (data.train, data.validation))
    assert len(data.train) + len(data.validation) == 1437 and not train & validation
    assert np.bincount(data.validation.labels).min() >= 30
    np.testing.assert_array_equal(data.test.images, digits_data.test.images)


def test_classes_are_selected_and_renumbered(digits_data):
    data = load(Config(classes=(7, 2), batch_size=16))
    assert data.class_names == ("7", "2") and set(data.train.labels) == {0, 1}
    sevens = digits_data.test.images[digits_data.test.labels == 7]
    np.testing.assert_array_equal(data.test.images[data.test.labels == 0], sevens)


def test_fewer_training_images_are_stratified(digits_data):
    data = load(Config(train_images=200, batch_size=16, seed=3))
    all_images = {image.tobytes() for image in digits_data.train.images}
    assert len({image.tobytes() for image in data.train.images} & all_images) == len(data.train) == 200
    assert set(np.bincount(data.train.labels)) <= {19, 20, 21}  # the 10 classes have slightly different sizes
    np.testing.assert_array_equal(data.test.images, digits_data.test.images)
    np.testing.assert_array_equal(load(Config(train_images=1437)).train.images, digits_data.train.images)


def test_image_size_resizes_all_splits():
    data = load(Config(image_size=16, validation_fraction=0.1))
    assert {split.images.shape[1:] for split in (data.train, data.validation, data.test)} == {(16, 16, 1)}
    assert resize(np.zeros((0, 8, 8, 1), np.uint8), 4).shape == (0, 4, 4, 1)


def test_images_that_are_not_square_are_cropped_to_their_centre(capsys):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 20, 3), dtype=np.uint8)
    data = ImageData.from_arrays(images, np.arange(12) % 2, test_fraction=0, name="wide")
    with pytest.raises(UserError) as error:
        prepare(data, Config(batch_size=4))
    assert str(error.value) == (
        "images of wide must be square; they have 8 x 20 pixels: say with `image_size` to which side to resize their "
        "middle squares."
    )
    cropped = prepare(data, Config(batch_size=4, image_size=8)).train.images
    np.testing.assert_array_equal(cropped, images[:, :, 6:14])
    assert capsys.readouterr().out == "wide: 12 of 12 images are not square; the square in their middle is taken\n"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["cifar100", "mnist", "fashion_mnist", "svhn_cropped", "cifar10"])
def test_any_image_set_of_tfds_is_read_by_the_same_code(name, tmp_path):
    write_tfds(name, tmp_path)
    data = load(Config(dataset=name, batch_size=8, data_dir=str(tmp_path)))
    channels = 1 if "mnist" in name else 3
    assert data.image_shape[2] == channels and len(data.train) == len(data.test) == 40
    assert len(data.class_names) == (100 if name == "cifar100" else 10)


def test_real_cifar10(cifar_dir):
    data = load(dataclasses.replace(preset("paper"), data_dir=cifar_dir))
    assert data.train.images.shape == (25_000, 32, 32, 3) and len(data.test) == 5000
    assert data.class_names == ("airplane", "automobile", "bird", "cat", "deer")
    assert np.bincount(data.train.labels).tolist() == [5000] * 5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": (0, 10)}, "`classes` must be labels from 0 to 9 for digits, which has 10 classes; got [0, 10]."),
        ({"batch_size": 1438}, "`batch_size` must be at most the number of training images (1437); got 1438."),
        (
            {"validation_fraction": 0.001},
            "`validation_fraction` must leave every class on both sides of the 1437 training images; got 0.001, so 2 "
            "of 1437 images judge, 1435 train, and there are 10 classes, '8' with 139 images the rarest; give at least "
            "0.007.",
        ),
        (
            {"train_images": 9},
            "`train_images` must be at least 10, one for each class, and at most the 1437 there are; got 9.",
        ),
        (
            {"train_images": 1438},
            "`train_images` must be at least 10, one for each class, and at most the 1437 there are; got 1438.",
        ),
        ({"dataset": "xsum"}, "data set 'xsum' must have one image and one class label; it has document, summary."),
    ],
)
def test_invalid_settings_are_refused(changes, sentence, tmp_path):
    with pytest.raises(UserError) as error:
        load(Config(data_dir=str(tmp_path), **changes))
    assert str(error.value) == sentence


def test_unknown_data_set_names_the_nearest(tmp_path):
    with pytest.raises(
        UserError, match=r"^`dataset` must be one of digits, cifar10, .*; got 'cifra10'\. Did you mean 'cifar10'\?$"
    ):
        load(Config(dataset="cifra10", data_dir=str(tmp_path)))


def test_unprepared_and_offline_is_one_quick_sentence(tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", offline)
    with pytest.raises(UserError) as error:
        load(Config(dataset="cifar10", data_dir=str(tmp_path)))
    message = str(error.value)
    assert message.startswith(
        f"data set 'cifar10' is not prepared in {tmp_path}/cifar10/3.0.2 and could not be downloaded"
    )
    assert "cannot be reached" in message and message.endswith("or take the preset digits, which needs neither.")


def test_a_set_without_checksums_is_one_sentence(tmp_path):
    class Unmade(tfds.core.GeneratorBasedBuilder):
        """Nothing says where its files come from."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(num_classes=2)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            raise OSError("no files anywhere")

        def _generate_examples(self):
            raise NotImplementedError

    assert Unmade.url_infos is None
    with pytest.raises(UserError) as error:
        load(Config(dataset="unmade", data_dir=str(tmp_path)))
    assert str(error.value).startswith(
        f"data set 'unmade' is not prepared in {tmp_path}/unmade/1.0.0 and could not be "
    )
    assert "(OSError: no files anywhere)" in str(error.value)


@pytest.mark.filterwarnings("ignore")
def test_images_of_different_sizes_need_a_size(tmp_path):
    write_tfds("oxford_flowers102", tmp_path, count=12, sides=(20, 30))
    with pytest.raises(UserError, match="differ in size; say with `image_size`"):
        load(Config(dataset="oxford_flowers102", batch_size=4, data_dir=str(tmp_path)))
    assert load(
        Config(dataset="oxford_flowers102", batch_size=4, image_size=12, data_dir=str(tmp_path))
    ).image_shape == (12, 12, 3)


def test_a_fingerprint_sees_every_pixel_and_label(digits_data):
    split = digits_data.train.take(np.arange(5))
    again = Split(split.images.copy(), split.labels.copy())
    assert split.fingerprint() == again.fingerprint()
    again.images[4, 7, 7, 0] ^= 1
    relabelled = Split(split.images, split.labels[::-1].copy())
    reshaped = Split(split.images.reshape(5, 4, 16, 1), split.labels)
    assert len({part.fingerprint() for part in (split, again, relabelled, reshaped)}) == 4
