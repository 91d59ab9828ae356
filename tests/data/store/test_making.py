"""Stores as they are made from folders and iterables, against the same images in memory, bit by bit."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from judges.stores import ARRAYS, LABELS, assert_same, encoded, photo, shards
from PIL import Image

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.store.manifest import read_manifest

RECIPE = AUGMENTATIONS["simclr"](16)


def test_a_store_gives_the_pixels_views_and_batches_of_memory(photos, tmp_path):
    memory, stored = q.ImageData.from_folder(photos), q.make_store(photos, tmp_path / "store")
    assert_same(stored, memory)
    assert len(shards(tmp_path / "store")) > 3
    images, memory_images = stored.train.images, memory.train.images
    for settings in ((8, 3, 9), (8, 3, 9, 6), (16, 0, 4, 0, 2, (1,))):
        pairs = (q.view_pairs(one, RECIPE, *settings) for one in (images, memory_images))
        for one, other in zip(*pairs, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    for augment in (None, RECIPE):
        batches = (image_batches(one, 5, augment, seed=2, number=1) for one in (images, memory_images))
        for one, other in zip(*batches, strict=True):
            np.testing.assert_array_equal(one, other)
    assert_same(q.ImageData.from_store(tmp_path / "store"), memory)


def test_jpegs_stay_as_they_are_and_all_else_is_pixels(photos, tmp_path):
    data = q.make_store(photos, tmp_path / "store", test_fraction=0)
    store = data.train.images.store
    files = [path for path in sorted(photos.rglob("*.*")) if path.parent.name != "unlabelled"]
    files.append(photos / "unlabelled" / "x.jpg")
    for row, (path, record) in enumerate(zip(files, store.records(np.arange(41)), strict=True)):
        raw = np.asarray(Image.open(path).convert("RGB")).tobytes()
        kept = path.suffix != ".png" and path.stat().st_size < len(raw)
        assert record == (path.read_bytes() if kept else raw), row
    assert store.jpegs == sum(len(record) < 16 * 16 * 3 for record in store.records(np.arange(41))) > 20


def test_a_turned_photograph_is_kept_as_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    for number in range(4):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(encoded(photo(number), exif=exif.tobytes()))
    stored = q.make_store(tmp_path / "photos", tmp_path / "store")
    assert_same(stored, q.ImageData.from_folder(tmp_path / "photos"))
    assert stored.train.images.store.jpegs == 0


def test_splits_sizes_and_gray_folders_are_those_of_memory(tmp_path):
    for number in range(12):
        place = tmp_path / "photos" / ("train", "test")[number > 8] / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = photo(number, 20 + number % 3, gray=True)[: 18 + number % 2]
        (place / f"{number:02d}.jpg").write_bytes(encoded(pixels))
    (tmp_path / "photos" / "train" / "cat" / "broken.jpg").write_bytes(encoded(photo(1))[:200])
    options = {"image_size": 12, "skip_broken_images": True}
    memory = q.ImageData.from_folder(tmp_path / "photos", **options)
    stored = q.make_store(tmp_path / "photos", tmp_path / "store", **options)
    assert_same(stored, memory)
    assert stored.image_shape == (12, 12, 1)


def test_both_ways_say_the_same_of_what_they_leave_out(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for number in range(6):
        (tmp_path / "photos" / f"{number}.png").write_bytes(encoded(photo(number)[:12], "PNG"))
    for name in ("3.png", "5.png"):
        (tmp_path / "photos" / name).write_bytes(b"nothing")
    options = {"image_size": 8, "skip_broken_images": True}
    q.ImageData.from_folder(tmp_path / "photos", **options)
    said = capsys.readouterr().out
    for _ in range(2):  # made, then opened
        q.make_store(tmp_path / "photos", tmp_path / "store", **options)
        assert capsys.readouterr().out == said.replace("of 4 images", "of 4 images")
    with pytest.raises(q.UserError) as memory:
        q.ImageData.from_folder(tmp_path / "photos")
    with pytest.raises(q.UserError) as stored:
        q.make_store(tmp_path / "photos", tmp_path / "other", image_size=8)
    assert str(stored.value) == str(memory.value)


@pytest.mark.parametrize(
    ("elements", "labels"),
    [
        (lambda: zip(ARRAYS, LABELS, strict=True), LABELS),
        (lambda: ({"image": image, "label": label} for image, label in zip(ARRAYS, LABELS, strict=True)), LABELS),
        (lambda: tf.data.Dataset.from_tensor_slices((ARRAYS, LABELS)).batch(7), LABELS),
        (lambda: list(ARRAYS), None),
        (lambda: zip(ARRAYS / 255, map(str, LABELS), strict=True), LABELS.astype(str)),
        (lambda: zip(ARRAYS, [None, *map(str, LABELS[1:])], strict=True), np.array([None, *map(str, LABELS[1:])])),
        (lambda: ((encoded(image, "PNG"), label) for image, label in zip(ARRAYS, LABELS, strict=True)), LABELS),
    ],
    ids=["pairs", "dictionaries", "tf.data", "no labels", "fractions", "names", "files"],
)
def test_any_iterable_makes_a_store(elements, labels, tmp_path):
    stored = q.make_store(elements(), tmp_path / "store")
    assert_same(stored, q.ImageData.from_arrays(ARRAYS, labels))
    first = next(iter(elements()))
    if not (isinstance(first, tuple) and isinstance(first[0], bytes)):  # files are resized by Pillow
        assert_same(q.make_store(elements(), tmp_path / "resized", image_size=9), _resized(labels))


def _resized(labels):
    from qssl_tf.data.sources import prepare

    return prepare(q.ImageData.from_arrays(ARRAYS, labels), q.Config(image_size=9, batch_size=2))


def test_an_iterable_has_test_and_unlabelled_images(tmp_path):
    stored = q.make_store(
        zip(ARRAYS[:10], LABELS[:10], strict=True),
        tmp_path / "store",
        test=zip(ARRAYS[10:16], LABELS[10:16], strict=True),
        unlabelled=ARRAYS[16:],
        class_names=("a", "b", "c"),
    )
    memory = q.ImageData.from_arrays(
        ARRAYS[:10],
        LABELS[:10],
        test_images=ARRAYS[10:16],
        test_labels=LABELS[10:16],
        unlabelled_images=ARRAYS[16:],
        class_names=("a", "b", "c"),
    )
    assert_same(stored, memory)


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        (
            photo(3, gray=True),
            "images of mine must have one size and one number of channels; image 7 is of 16 x 16 x 1 and those before "
            "it of 16 x 16 x 3: mend it and make the store again, which goes on there.",
        ),
        (
            photo(3, 12),
            "images of mine must have one size and one number of channels; image 7 is of 12 x 12 x 3 and those before "
            "it of 16 x 16 x 3: mend it and make the store again, which goes on there.",
        ),
        (
            b"no image",
            "1 image of mine cannot be used, first: image 7 (cannot identify image file <_io.BytesIO object>). Mend "
            "or leave them out, and make the store again, which goes on there.",
        ),
        (
            np.full((16, 16, 3), 2.5),
            "1 image of mine cannot be used, first: image 7 (`image` of type float64 must lie from 0 to 1; got 2.5 to "
            "2.5). Mend or leave them out, and make the store again, which goes on there.",
        ),
    ],
    ids=["channels", "size", "file", "values"],
)
def test_an_image_that_does_not_fit_is_named_and_nothing_lost(odd, sentence, tmp_path):
    with pytest.raises(q.UserError) as error:
        q.make_store([*ARRAYS[:7], odd, *ARRAYS[8:]], tmp_path / "store", name="mine")
    told = str(error.value)
    assert (told.split(" at 0x")[0] + told[told.index(">") :] if " at 0x" in told else told) == sentence
    assert sum(entry["images"] for entry in read_manifest(tmp_path / "store")["shards"]) == 7
    assert_same(q.make_store(ARRAYS, tmp_path / "store", name="mine"), q.ImageData.from_arrays(ARRAYS))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"train": 3}, "`train` must be a folder or an iterable of images; got a int."),
        ({"train": []}, "store must hold images; it has none."),
        ({"train": ["x", photo(1)]}, "1 image of store cannot be used, first: image 0 ("),
        ({"train": [(photo(1), 1.5)]}, "1 image of store cannot be used, first: image 0 (its label must be a whole"),
        ({"train": [(photo(1), 1), (photo(2), "b")]}, "labels of a store must be whole numbers or names; got both."),
        (
            {"train": [photo(1)[:8]]},
            "images of store must be square; they have 8 x 16 pixels: say with `image_size` to",
        ),
        ({"train": ARRAYS, "test": ARRAYS, "test_fraction": 0.1}, "`test_fraction` must be left out where there are"),
        (
            {"train": ".", "test": ARRAYS},
            "`test` must be left out where `train` is a folder, which has its own; got one.",
        ),
        ({"train": ARRAYS, "image_size": 3}, "`image_size` must be at least 4 and at most 1024; got 3."),
    ],
)
def test_what_makes_no_store_is_one_line(arguments, sentence, tmp_path):
    with pytest.raises(q.UserError) as error:
        q.make_store(**arguments, folder=tmp_path / "store")
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_folders_that_are_no_stores(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    with pytest.raises(q.UserError, match="must be a new folder or a store of images; it holds something else."):
        q.make_store(ARRAYS, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter").read_text() == "dear"
    (tmp_path / "link").symlink_to("nowhere")
    for place in (tmp_path / "mine" / "letter", tmp_path / "link"):
        with pytest.raises(q.UserError, match=f"^{place} must be a new folder or a store of images; it is no folder."):
            q.make_store(ARRAYS, place)
        with pytest.raises(q.UserError, match=f"^{place} must be a store of images, and has no manifest.json; name"):
            q.ImageData.from_store(place)
    with pytest.raises(NotADirectoryError) as error:
        q.make_store(ARRAYS, tmp_path / "mine" / "letter" / "store")
    assert error.value.filename == str(tmp_path / "mine" / "letter")
    with pytest.raises(q.UserError, match="must be a store of images, and has no manifest.json; name one, or make it"):
        q.ImageData.from_store(tmp_path / "mine")


def test_without_the_package_one_line_says_what_it_is_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python", None)
    with pytest.raises(q.UserError, match="images on disk need the package array_record, which cannot be loaded here"):
        q.make_store(ARRAYS, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("changes", "which"),
    [
        ({"class_names": ("d", "e", "f")}, "their class_names is ['a', 'b', 'c'], and ['d', 'e', 'f'] was asked for"),
        ({"test_fraction": 0.5}, "their test_fraction is None, and 0.5 was asked for"),
        ({"unlabelled": ARRAYS[:2]}, "their parts is ['images'], and ['images', 'unlabelled_images'] was asked for"),
        ({"train": [*zip(ARRAYS[:9], LABELS[:9], strict=True)]}, "from 20 images of store, and there are 9 now"),
    ],
)
def test_arguments_that_changed_are_not_passed_over(changes, which, tmp_path):
    arguments = {"train": [*zip(ARRAYS, LABELS, strict=True)], "class_names": ("a", "b", "c")}
    q.make_store(**arguments, folder=tmp_path / "store")
    with pytest.raises(q.UserError) as error:
        q.make_store(**(arguments | changes), folder=tmp_path / "store")
    assert which in str(error.value) and "name another folder" in str(error.value)


@pytest.mark.parametrize(("label", "told"), [("", "''"), (10**30, str(10**30)), (True, "True")])
def test_labels_that_memory_refuses_make_no_store(label, told, tmp_path):
    with pytest.raises(
        q.UserError, match=f"image 1 .its label must be a whole number of 64 bits or a name; got {told}"
    ):
        q.make_store([(ARRAYS[0], "a"), (ARRAYS[1], label)], tmp_path / "store")


def test_what_could_not_be_read_again_is_not_made(tmp_path):
    with pytest.raises(q.UserError) as error:
        q.make_store(ARRAYS, tmp_path / "store", name="x" * 5000)
    assert str(error.value).startswith("a store of 'xxx") and not (tmp_path / "store").exists()
    with pytest.raises(q.UserError) as error:
        q.make_store(np.zeros((1, 5000, 5000, 1), np.uint8), tmp_path / "store")
    assert str(error.value) == (
        "images of store must have at most 4096 pixels a side; they have 5000: say with `image_size` to which side to "
        "resize them."
    )


def test_a_first_attempt_that_kept_nothing_binds_nobody(photos, tmp_path):
    """Whatever was asked for then; and a folder whose images differ in size leaves nothing behind."""
    (photos / "cat" / "00.png").write_bytes(encoded(photo(0, 17), "PNG"))
    with pytest.raises(q.UserError, match="differ in size"):
        q.make_store(photos, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    for path in photos.rglob("*.*"):
        path.write_bytes(b"nothing")
    with pytest.raises(q.UserError) as memory:
        q.ImageData.from_folder(photos, image_size=8, skip_broken_images=True)
    with pytest.raises(q.UserError) as stored:
        q.make_store(photos, tmp_path / "store", image_size=8, skip_broken_images=True)
    assert str(stored.value) == str(memory.value)
    assert_same(q.make_store(ARRAYS, tmp_path / "store"), q.ImageData.from_arrays(ARRAYS))
