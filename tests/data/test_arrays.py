"""Data sets from arrays: accepted shapes and types, reproducible splits, one-line errors for everything else."""

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import prepare
from qssl_tf.errors import UserError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def test_bytes_stay_and_the_split_has_every_class_in_equal_shares():
    data = ImageData.from_arrays(BYTES, LABELS)
    assert len(data.train) == 32 and len(data.test) == 8 and len(data.validation) == 0
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2, 2] and data.class_names == ("0", "1", "2", "3")
    rows = [next(row for row in range(40) if (BYTES[row] == image).all()) for image in data.test.images]
    assert (LABELS[rows] == data.test.labels).all()
    again = ImageData.from_arrays(BYTES, LABELS)
    assert again.train.fingerprint() == data.train.fingerprint()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_fractions_and_whole_numbers_become_the_same_bytes(dtype):
    pixels = (BYTES / 255).astype(dtype) if np.dtype(dtype).kind == "f" else BYTES.astype(dtype)
    data = ImageData.from_arrays(pixels, LABELS, test_fraction=0)
    assert data.train.images.dtype == np.uint8 and (data.train.images == BYTES).all() and not len(data.test)


@pytest.mark.parametrize(
    ("images", "brightest"), [(BYTES // 15, 17), ((BYTES // 15).astype(int), 17), (BYTES * 0, None), (BYTES, None)]
)
def test_whole_numbers_of_another_scale_are_said(images, brightest, capsys):
    for name, given in (("images", {"images": images}), ("test_images", {"images": BYTES, "test_images": images})):
        ImageData.from_arrays(**given)
        said = capsys.readouterr().err
        assert said.startswith(f"note: the brightest pixel of `{name}` is {brightest} of 255") == bool(brightest)
        assert said.count("\n") == bool(brightest)


def test_gray_images_get_a_channel_axis():
    assert ImageData.from_arrays(BYTES[..., 0], LABELS).image_shape == (6, 6, 1)


def test_string_labels_are_indexed_in_sorted_order():
    names = np.array(["dog", "cat"])[LABELS % 2]
    data = ImageData.from_arrays(BYTES, names, test_images=BYTES[:4], test_labels=["cat", "dog", "cat", "cat"])
    assert data.class_names == ("cat", "dog") and data.test.labels.tolist() == [0, 1, 0, 0]
    assert data.train.labels.tolist() == (1 - LABELS % 2).tolist()


def test_labels_with_gaps_mean_the_same_in_both_splits():
    data = ImageData.from_arrays(BYTES, LABELS * 2 + 3, test_images=BYTES[:2], test_labels=[9, 3])
    assert data.class_names == ("3", "5", "7", "9") and data.test.labels.tolist() == [3, 0]


def test_class_names_replace_numbers():
    data = ImageData.from_arrays(BYTES, LABELS, class_names=["a", "b", "c", "d", "e"])
    assert data.class_names == ("a", "b", "c", "d", "e") and set(data.train.labels) == {0, 1, 2, 3}


def test_images_without_labels_have_no_classes():
    data = ImageData.from_arrays(BYTES)
    assert data.class_names == () and len(data.train) == 32
    with pytest.raises(UserError, match="`classes` must be none for arrays, whose images have no labels"):
        prepare(data, Config(classes=(0, 1), batch_size=8))


def test_settings_apply_as_to_any_other_data():
    data = prepare(ImageData.from_arrays(BYTES, LABELS), Config(classes=(1, 3), image_size=4, batch_size=8))
    assert data.image_shape == (4, 4, 3) and data.class_names == ("1", "3") and len(data.train) == 16


def test_unlabelled_images_are_used_in_pretraining_only(capsys):
    labels = LABELS.copy()
    labels[::2] = -1
    data = prepare(ImageData.from_arrays(BYTES, labels), Config(batch_size=8))
    assert data.class_names == ("1", "3") and np.bincount(data.test.labels).tolist() == [2, 2]
    assert np.sum(data.train.labels == -1) == 20 and len(data.train) == 36 and len(data.train.labelled()) == 16
    assert capsys.readouterr().out == (
        "arrays: 20 of 36 training images are unlabelled: they train, and no probe sees them\n"
    )


def test_unlabelled_test_images_are_dropped(capsys):
    raw = ImageData.from_arrays(BYTES, LABELS, test_images=BYTES, test_labels=np.where(LABELS < 2, -1, LABELS))
    data = prepare(raw, Config(batch_size=8))
    assert data.test.labels.tolist() == LABELS[LABELS > 1].tolist() and len(data.train) == 40
    assert capsys.readouterr().out == "arrays: 20 unlabelled test images are left out\n"
    none = ImageData.from_arrays(BYTES, LABELS, test_images=BYTES, test_labels=np.full(40, -1))
    assert len(prepare(none, Config(batch_size=8)).test) == 0
    assert ImageData.from_arrays(BYTES, np.full(40, -1)).class_names == ()


@pytest.mark.parametrize(
    "labels",
    [
        LABELS[:, None],
        LABELS.astype(object),
        np.array(["a", "b", "c", "d"], object)[LABELS],
        np.array([b"a", b"b", b"c", b"d"])[LABELS],
        np.array(["a", "b", "c", "d"])[LABELS][:, None],
    ],
    ids=["column", "objects", "names", "bytes", "column of names"],
)
def test_labels_in_other_formats(labels):
    data = ImageData.from_arrays(BYTES, labels, test_fraction=0)
    assert data.train.labels.tolist() == LABELS.tolist() and data.train.labels.dtype == np.int64


def test_a_missing_name_is_not_a_class():
    names = np.array(["a", "b", None, float("nan")], object)[LABELS]
    data = ImageData.from_arrays(BYTES, names, test_fraction=0)
    assert data.class_names == ("a", "b") and data.train.labels.tolist() == [0, 1, -1, -1] * 10
    numbers = ImageData.from_arrays(BYTES, np.array([5, 7, None, -1], object)[LABELS], test_fraction=0)
    assert numbers.class_names == ("5", "7") and numbers.train.labels.tolist() == [0, 1, -1, -1] * 10


def test_pandas_na_is_not_a_class():
    missing = type("NAType", (), {"__eq__": lambda self, other: self, "__bool__": lambda self: 1 / 0})()
    data = ImageData.from_arrays(BYTES, np.array(["a", "b", missing, missing], object)[LABELS], test_fraction=0)
    assert data.class_names == ("a", "b") and data.train.labels.tolist() == [0, 1, -1, -1] * 10


def test_names_of_any_bytes_can_be_printed():
    coffee = b"caf\xe9".decode("utf-8", "surrogateescape")  # as Python decodes a folder's name that is not UTF-8
    data = ImageData.from_arrays(BYTES, LABELS, class_names=["$$", coffee, "a\nb", "日本"])
    assert data.class_names == ("$$", r"caf\xe9", r"a\nb", "日本")
    "".join(data.class_names).encode("utf-8")


BAD = [
    ({"images": BYTES[0, 0, 0]}, "`images` must have the shape (n, height, width) or (n, height, width, channels) with "
     "1 or 3 channels; got (3,)."),
    ({"images": np.zeros((40, 6, 6, 4), np.uint8)}, "with 1 or 3 channels; got (40, 6, 6, 4)."),
    ({"images": np.zeros((0, 6, 6, 3), np.uint8)}, "with 1 or 3 channels; got (0, 6, 6, 3)."),
    ({"images": BYTES.astype(float)}, "`images` of type float64 must lie from 0 to 1; got 0.0 to 255.0."),
    (
        {"images": [np.zeros((8, 8)), np.zeros((4, 8))], "labels": None},
        "`images` must all be of one size; resize them.",
    ),
    ({"images": np.ma.masked_equal(BYTES, 0)}, "`images` must have no mask; fill what is masked, as with .filled(0)."),
    ({"test_labels": LABELS[:3]}, "`test_labels` must come with the `test_images` they belong to; got them alone."),
    (
        {"test_images": BYTES, "test_labels": LABELS, "test_fraction": 0.5},
        "`test_fraction` must be left out where there are `test_images`; got 0.5.",
    ),
    (
        {"labels": np.ma.masked_equal(LABELS, 1)},
        "`labels` must have no mask; fill what is masked, as with .filled(-1).",
    ),
    (
        {"labels": ["a\x01", r"a\x01"] * 20},
        r"`labels` must be names that differ where they are printed; got 'a\\x01'.",
    ),
    ({"labels": ["", "b"] * 20}, "`labels` must be names that differ where they are printed; got ''."),
    (
        {"labels": np.array([0, 2**70] * 20, object)},
        "`labels` must be whole numbers of 64 bits; got 1180591620717411303424.",
    ),
    ({"class_names": ["cat"]}, "`class_names` must name two classes or more; got ['cat']."),
    (
        {"class_names": ["cat", "dog", "cat"]},
        "`class_names` must be different names; got 'cat' as that of label 2.",
    ),
    ({"class_names": ["cat", " "]}, "`class_names` must be different names; got ' ' as that of label 1."),
    ({"images": np.full((40, 6, 6), np.nan)}, "`images` must be numbers; got NaN in 40 images."),
    ({"images": BYTES.astype(int) - 1}, "`images` of type int64 must lie from 0 to 255; got -1 to 254."),
    ({"images": BYTES.astype(str)}, "`images` must be bytes (0 to 255) or fractions (0 to 1); got <U3."),
    ({"labels": LABELS[:39]}, "`labels` must have the shape (40,), one for each image; got (39,)."),
    ({"labels": np.array(["a", 1] * 20, object)}, "`labels` must be whole numbers or names; got both or others, "
     "such as 'a'."),
    ({"labels": np.array([1, 1.5] * 20, object)}, "`labels` must be whole numbers or names; got both or others, "
     "such as 1."),
    ({"labels": np.where(LABELS > 1, 1, -1)}, "`labels` must name two classes or more, beside -1 for unlabelled "
     "images; got 1 alone. Leave them out to train without."),
    ({"labels": np.eye(4)[LABELS]}, "got (40, 4). Of one-hot rows take labels.argmax(axis=1)."),
    ({"labels": LABELS / 2}, "`labels` must be whole numbers or names; got float64."),
    ({"labels": np.zeros(40, int)}, "`labels` must name two classes or more, beside -1 for unlabelled images; got 0 "
     "alone. Leave them out to train without."),
    ({"class_names": ["a", "b"]}, "`labels` must lie from 0 to 1, as there are 2 `class_names`; got 2."),
    ({"test_images": BYTES}, "`labels` and `test_labels` must be given both or neither."),
    ({"test_images": BYTES[:, :3], "test_labels": LABELS}, "`test_images` must have the shape of `images`, (6, 6, 3); "
     "got (3, 6, 3)."),
    ({"test_images": BYTES, "test_labels": LABELS + 1}, "`test_labels` must be among 0, 1, 2, 3; got '4'."),
    ({"test_fraction": 1.0}, "`test_fraction` must be at least 0.0 and at most 0.9; got 1.0."),
    ({"test_fraction": 0.05}, "`test_fraction` must leave every class on both sides; got 0.05, so 2 of 40 images "
     "judge, 38 train, and there are 4 classes, '0' with 10 images the rarest; give at least 0.088, or `test_images` "
     "of your own (files: in the folders train and test)."),
    ({"labels": np.arange(40)}, "got 0.2, so no class has two images; give more, or `test_images` of your own (files: "
     "in the folders train and test)."),
    ({"labels": np.arange(40) // 2, "test_fraction": 0.6}, "got 0.6, so 24 of 40 images judge, 16 train, and there are "
     "20 classes, '0' with 2 images the rarest; give at most 0.487, or `test_images` of your own (files: in the "
     "folders train and test)."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_invalid_arrays_are_refused_in_one_line(arguments, sentence):
    with pytest.raises(UserError) as error:
        ImageData.from_arrays(**({"images": BYTES, "labels": LABELS} | arguments))
    assert str(error.value).endswith(sentence) and "\n" not in str(error.value)


def test_a_small_labelled_set_beside_a_large_unlabelled_one():
    others = 255 - np.tile(BYTES, (3, 1, 1, 1))
    data = ImageData.from_arrays(BYTES, LABELS, unlabelled_images=others, test_fraction=0.25)
    alone = ImageData.from_arrays(BYTES, LABELS, test_fraction=0.25)
    assert len(data.train) == 30 + 120 and data.class_names == alone.class_names
    np.testing.assert_array_equal(data.test.images, alone.test.images)
    np.testing.assert_array_equal(data.train.labelled().images, alone.train.images)
    np.testing.assert_array_equal(data.train.images[data.train.labels == -1], others)
    judged = ImageData.from_arrays(BYTES, LABELS, test_images=BYTES, test_labels=LABELS, unlabelled_images=others)
    assert (len(judged.train), len(judged.test)) == (160, 40)


@pytest.mark.parametrize(
    ("labels", "others", "sentence"),
    [
        (None, BYTES, "`unlabelled_images` must come beside labelled ones; without labels give them all as `images`."),
        (
            LABELS,
            BYTES[:, 1:],
            f"`unlabelled_images` must have the shape of `images`, {BYTES.shape[1:]}; got {BYTES[:, 1:].shape[1:]}.",
        ),
    ],
)
def test_unlabelled_images_that_do_not_fit(labels, others, sentence):
    with pytest.raises(UserError) as caught:
        ImageData.from_arrays(BYTES, labels, unlabelled_images=others)
    assert str(caught.value) == sentence
