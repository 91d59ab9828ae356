"""Images on disk against the same images in memory, which is the judge, bit by bit."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from judges.stores import assert_same, encoded, flip, photo, shards
from PIL import Image

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.splits import BY_IMAGE
from qssl_tf.data.store import images, writing
from qssl_tf.data.store.reading import damaged_shards, read_manifest
from qssl_tf.files.lock import locked

RECIPE = AUGMENTATIONS["simclr"](16)


@pytest.fixture
def photos(tmp_path):
    """Forty files of two classes, every third a PNG and every seventh gray, and one without a class."""
    for number in range(40):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        kind = "PNG" if number % 3 == 0 else "JPEG"
        options = {"quality": 90} if kind == "JPEG" else {}
        (place / f"{number:02d}.{kind.lower()}").write_bytes(
            encoded(photo(number, gray=number % 7 == 0), kind, **options)
        )
    (tmp_path / "photos" / "unlabelled").mkdir()
    (tmp_path / "photos" / "unlabelled" / "x.jpg").write_bytes(encoded(photo(99)))
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of a few images."""
    monkeypatch.setattr(writing, "SHARD_BYTES", 4000)


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


@pytest.mark.parametrize("quality", [40, 92, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_tensorflow_decodes_jpegs_as_pillow_does(quality, subsampling, progressive):
    for side in (16, 37, 64):
        jpeg = encoded(photo(side, side), quality=quality, subsampling=subsampling, progressive=progressive)
        decoded = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
        np.testing.assert_array_equal(decoded, np.asarray(Image.open(io.BytesIO(jpeg))))


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


ARRAYS = np.stack([photo(number) for number in range(20)])
LABELS = np.arange(20) % 3


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


def test_fingerprints_of_one_kind_are_made_of_either(photos, tmp_path, capsys):
    memory, stored = q.ImageData.from_folder(photos).train, q.make_store(photos, tmp_path / "store").train
    assert stored.fingerprint().startswith(BY_IMAGE) and not memory.fingerprint().startswith(BY_IMAGE)
    capsys.readouterr()
    assert memory.has_fingerprint(stored.fingerprint())
    assert capsys.readouterr().out == ""
    assert stored.has_fingerprint(memory.fingerprint())
    assert capsys.readouterr().out == (
        f"{len(stored)} stored images are read once, to compare them with those of a run in memory\n"
    )
    other = stored.take(np.r_[1, 0, 2 : len(stored)])
    assert not other.has_fingerprint(memory.fingerprint()) and not memory.has_fingerprint(other.fingerprint())


SLOW = """
import sys, time, numpy as np, qssl_tf as q
from qssl_tf.data.store import writing
sys.path.insert(0, sys.argv[3])
from judges.stores import photo
writing.SHARD_BYTES = 4000
def images():
    for number in range(40):
        time.sleep(float(sys.argv[2]))
        yield photo(number), number % 2
data = q.make_store(images(), sys.argv[1], name="slow")
print(len(data.train))
"""


def test_a_killed_making_goes_on(tmp_path):
    command = [sys.executable, "-c", SLOW, str(tmp_path / "store"), "0.1", str(Path(__file__).parents[1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.poll() is None and len(shards(tmp_path / "store")) < 3:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in shards(tmp_path / "store")}
    assert process.returncode == -signal.SIGKILL and len(kept) >= 3
    with pytest.raises(q.UserError, match="is half made, with .* images so far; go on by making it from the same"):
        q.ImageData.from_store(tmp_path / "store")
    listed = {tmp_path / "store" / entry["file"] for entry in read_manifest(tmp_path / "store")["shards"]}
    made = q.make_store(((photo(n), n % 2) for n in range(40)), tmp_path / "store", name="slow")
    assert_same(made, q.ImageData.from_arrays(np.stack([photo(n) for n in range(40)]), np.arange(40) % 2))
    assert all(path.stat().st_mtime_ns == kept[path] for path in listed)
    assert not list((tmp_path / "store").glob(".*"))
    at_once = tmp_path / "at once"
    q.make_store(((photo(n), n % 2) for n in range(40)), at_once, name="slow")
    assert {path.name: path.read_bytes() for path in shards(at_once)} == {
        path.name: path.read_bytes() for path in shards(tmp_path / "store")
    }


def test_another_source_does_not_go_on_with_a_half_made_store(tmp_path):
    def until(count):
        yield from ((photo(n), 0) for n in range(count))
        raise OSError("the cable is out")

    with pytest.raises(OSError):
        q.make_store(until(30), tmp_path / "store", name="mine")
    with pytest.raises(q.UserError) as error:
        q.make_store(((photo(n + 1), 0) for n in range(40)), tmp_path / "store", name="mine")
    assert str(error.value) == (
        f"{tmp_path / 'store'} is half made, and mine gives other images than those in it; name another folder, or "
        "remove this one."
    )
    with pytest.raises(q.UserError) as error:
        q.make_store(ARRAYS, tmp_path / "store", name="yours")
    assert str(error.value) == (
        f"{tmp_path / 'store'} is the store of other images: their name is 'mine', and 'yours' was asked for; name "
        "another folder."
    )


def test_a_changed_folder_is_refused_and_a_half_made_store_keeps_what_is_the_same(photos, tmp_path):
    store = tmp_path / "store"
    q.make_store(photos, store)
    first, last = photos / "cat" / "00.png", photos / "dog" / "39.png"
    os.utime(last, ns=(5, 5))
    with pytest.raises(q.UserError) as error:
        q.make_store(photos, store)
    assert str(error.value) == (
        f"{store} was made from photos as it was then, and its files are others now; remove the store, and it is made "
        "again, or restore the files."
    )
    manifest = read_manifest(store)
    (store / "manifest.json").write_text(json.dumps(manifest | {"finished": False}))
    before = {path: path.stat().st_mtime_ns for path in shards(store)}
    assert_same(q.make_store(photos, store), q.ImageData.from_folder(photos))
    same = [path for path in before if path.stat().st_mtime_ns == before[path]]
    assert 0 < len(same) < len(before) and same == sorted(before)[: len(same)]
    (store / "manifest.json").write_text(json.dumps(read_manifest(store) | {"finished": False}))
    first.write_bytes(encoded(photo(77), "PNG"))
    assert_same(q.make_store(photos, store), q.ImageData.from_folder(photos))


def test_a_flipped_bit_is_named_and_the_shard_made_again(photos, tmp_path):
    store = tmp_path / "store"
    memory, whole = q.ImageData.from_folder(photos), q.make_store(photos, store)
    entry = read_manifest(store)["shards"][1]
    path = store / entry["file"]
    record = whole.train.images.store.records(np.array([read_manifest(store)["shards"][0]["images"] + 2]))[0]
    flip(path, path.read_bytes().index(record) + len(record) // 2)
    data = q.ImageData.from_store(store)  # sizes are right
    sentence = (
        f"image 2 of {path} cannot be read (Corrupted Riegeli/records file: chunk data hash mismatch); remove that "
        "file, and it is made again from the source."
    )
    for read in (
        lambda: np.asarray(data.train.images),
        lambda: data.train.fingerprint(by_image=False),
        lambda: _through(q.view_pairs(data.train.images, RECIPE, 8, 0, 20)),
    ):
        with pytest.raises(q.UserError) as error:
            read()
        assert str(error.value) == sentence
    assert damaged_shards(store, read_manifest(store)) == [f"{path} is not the file that was made"]
    rest = np.setdiff1d(np.arange(len(data.train.images.store)), np.arange(entry["first"], entry["next"]))
    assert len(np.asarray(images.StoredImages(data.train.images.store, rest))) == len(rest)  # can be used
    path.unlink()
    others = {other: other.stat().st_mtime_ns for other in shards(store)}
    assert_same(q.make_store(photos, store), memory)
    assert all(other.stat().st_mtime_ns == then for other, then in others.items())
    assert damaged_shards(store, read_manifest(store)) == []


def _through(dataset):
    with images.plain_errors():
        for _ in dataset:
            pass


def test_every_flipped_bit_of_a_record_is_noticed(tmp_path):
    """ArrayRecord's own hashes, at random places of all records."""
    q.make_store(ARRAYS, tmp_path / "store")
    rng = np.random.default_rng(0)
    for path in shards(tmp_path / "store")[:3]:
        content = path.read_bytes()
        start = content.index(ARRAYS[int(path.stem[-5:]) * 6].tobytes())
        for place in rng.integers(start, start + 6 * 768, 8):
            flip(path, int(place), 1 << int(rng.integers(8)))
            with pytest.raises(q.UserError, match=f"of {path} cannot be read"):
                np.asarray(q.ImageData.from_store(tmp_path / "store").train.images)
                np.asarray(q.ImageData.from_store(tmp_path / "store").test.images)
            path.write_bytes(content)


@pytest.mark.parametrize("harm", ["shorter", "missing", "labels", "manifest"])
def test_damaged_files_are_named_and_mended(harm, photos, tmp_path, capsys):
    store = tmp_path / "store"
    q.make_store(photos, store)
    path, details = shards(store)[1], store / "images-00001.npz"
    size = path.stat().st_size
    manifest = store / "manifest.json"
    harms = {
        "shorter": lambda: os.truncate(path, size // 2),
        "missing": details.unlink,
        "labels": lambda: details.write_bytes(details.read_bytes()[:100]),
        "manifest": lambda: manifest.write_text(manifest.read_text()[:-20]),
    }
    again = "make the store again from its source, which replaces what is damaged."
    sentences = {
        "shorter": f"{path} has {size // 2} bytes and must have {size}; {again}",
        "missing": f"{details} is missing; {again}",
        "labels": f"{details} cannot be read (BadZipFile: File is not a zip file); remove it, and it is made again "
        "from the source.",
        "manifest": f"{manifest} cannot be read (",
    }
    harms[harm]()
    capsys.readouterr()
    with pytest.raises(q.UserError) as error:
        q.ImageData.from_store(store)
    assert str(error.value).startswith(sentences[harm])
    if harm == "labels":
        details.unlink()
    if harm != "manifest":
        assert_same(q.make_store(photos, store), q.ImageData.from_folder(photos))
        assert capsys.readouterr().out.count("; it is made again\n") == 1


@contextmanager
def files_up_to(size):
    """Let this process write no larger file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_in_the_systems_words_and_nothing_is_lost(tmp_path, monkeypatch):
    """Shards that are larger from some image on meet a limit of files."""
    monkeypatch.setattr(writing, "SHARD_BYTES", 80_000)

    def images():
        yield from (photo(number) for number in range(400))
        monkeypatch.setattr(writing, "SHARD_BYTES", 400_000)
        yield from (photo(number) for number in range(600))

    with files_up_to(300_000), pytest.raises(OSError) as error:
        q.make_store(images(), tmp_path / "store", name="many")
    assert error.value.strerror == "File too large" and error.value.filename.startswith(str(tmp_path / "store"))
    assert len(shards(tmp_path / "store")) == len(read_manifest(tmp_path / "store")["shards"]) >= 1
    assert not list((tmp_path / "store").glob(".*-images*"))
    data = q.make_store(images(), tmp_path / "store", name="many")
    assert len(data.train) + len(data.test) == 1000


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
            "1 images of mine cannot be used, first: image 7 (cannot identify image file <_io.BytesIO object>). Mend "
            "or leave them out, and make the store again, which goes on there.",
        ),
        (
            np.full((16, 16, 3), 2.5),
            "1 images of mine cannot be used, first: image 7 (`image` of type float64 must lie from 0 to 1; got 2.5 to "
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
        ({"train": ["x", photo(1)]}, "1 images of store cannot be used, first: image 0 ("),
        ({"train": [(photo(1), 1.5)]}, "1 images of store cannot be used, first: image 0 (its label must be a whole"),
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
    with pytest.raises(q.UserError, match="must be a store of images, and has no manifest.json; name one, or make it"):
        q.ImageData.from_store(tmp_path / "mine")


def test_a_second_process_waits_for_the_first(tmp_path, capsys):
    made = []
    with locked(tmp_path / "store"):
        thread = threading.Thread(target=lambda: made.append(q.make_store(ARRAYS, tmp_path / "store")))
        thread.start()
        while "waiting" not in capsys.readouterr().out:
            time.sleep(0.05)
        assert not (tmp_path / "store").exists()
    thread.join()
    assert_same(made[0], q.ImageData.from_arrays(ARRAYS))


def test_without_the_package_one_line_says_what_it_is_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python", None)
    with pytest.raises(q.UserError, match="images on disk need the package array_record, which cannot be loaded here"):
        q.make_store(ARRAYS, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_stores_images_have_the_size_they_were_made_with(tmp_path):
    from qssl_tf.data.sources import prepare

    data = q.make_store(ARRAYS, tmp_path / "store")
    assert prepare(data, q.Config(image_size=16, batch_size=2)).image_shape == (16, 16, 3)
    with pytest.raises(q.UserError) as error:
        prepare(data, q.Config(image_size=8, batch_size=2))
    assert str(error.value) == (
        "stored images of store must be 8 x 8 pixels here; they have 16 x 16 pixels: make a store with that "
        "`image_size`, as their size is fixed when it is made."
    )
