"""Damaged stores: what is wrong is named in one line, and made again or refused."""

import json
import os

import numpy as np
import pytest
from judges.stores import ARRAYS, LABELS, assert_same, encoded, flip, photo, shards

import qssl_tf as q
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.data.store import images
from qssl_tf.data.store.manifest import read_manifest
from qssl_tf.data.store.reading import damaged_shards

RECIPE = AUGMENTATIONS["simclr"](16)


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
        "labels": f"{details} cannot be read (it is not the file that was made); remove it, and it is made again from "
        "the source.",
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


def _shard(number, **changes):
    def change(manifest):
        manifest["shards"][number] |= changes

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda manifest: manifest.update(image_shape=None), "it must say the shape of its images"),
        (lambda manifest: manifest.update(image_shape=[16, 8, 3]), "its images must be squares of at most 4096 pixels"),
        (lambda manifest: manifest.update(image_shape=[16, 16, 2]), "its images must be squares of at most 4096"),
        (lambda manifest: manifest.update(shards=[]), "it must list shards where it is finished"),
        (lambda manifest: manifest.update(parts=["images", "images"]), "its parts must be those of its kind"),
        (lambda manifest: manifest.update(parts=["train", "test"]), "its parts must be those of its kind"),
        (lambda manifest: manifest.update(indexed=True), "its parts must be those of its kind"),
        (lambda manifest: manifest.update(indexed=True, parts=["train", "test"]), "it must name the classes"),
        (lambda manifest: manifest.update(dct_method="NONE"), "its dct_method is 'NONE': string should match"),
        (lambda manifest: manifest.update(test_fraction=7.5), "its test_fraction is 7.5: input should be less"),
        (lambda manifest: manifest["shards"].reverse(), "its shard 0 must be images-00000.array_record with what"),
        (lambda manifest: manifest["shards"].pop(0), "its shard 0 must be images-00000.array_record with what"),
        (_shard(1, next=4), "its shard 1 must be images-00001.array_record with what follows the one before it"),
        (_shard(0, images=0), "its shards.0.images is 0: input should be greater"),
        (_shard(0, jpegs=99), "its shard 0 must have no more JPEGs or crops than images"),
        (_shard(0, file="../images-00000.array_record"), "its shards.0.file is '../images-00000.array_record'"),
        (_shard(0, left_out=["\x1b[31m"]), "its shards.0.left_out.0 is '\\x1b[31m'"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_one_line(change, sentence, tmp_path):
    store = tmp_path / "store"
    q.make_store(ARRAYS, store)
    manifest = read_manifest(store)
    change(manifest)
    (store / "manifest.json").write_text(json.dumps(manifest))
    for way in (lambda: q.ImageData.from_store(store), lambda: q.make_store(ARRAYS, store)):
        with pytest.raises(q.UserError) as error:
            way()
        assert str(error.value).startswith(f"{store / 'manifest.json'} cannot be read ({sentence}")
        assert str(error.value).endswith("; restore it, or remove the store.")


@pytest.mark.parametrize(
    "change",
    [{"image_shape": [8, 8, 3]}, {"image_shape": [4096, 4096, 3]}, {"image_shape": [16, 16, 1]}, {"dct_method": ""}],
    ids=str,
)
def test_a_manifest_of_other_images_is_refused(change, tmp_path):
    """Right in itself, as of another store; JPEGs decoded in another way have other pixels."""
    store, files = tmp_path / "store", [encoded(photo(number), quality=90) for number in range(20)]
    data = q.make_store(files, store)
    assert data.train.images.store.jpegs == 20
    (store / "manifest.json").write_text(json.dumps(read_manifest(store) | change))
    with pytest.raises(q.UserError) as error:
        q.ImageData.from_store(store)
    assert str(error.value) == (
        f"the images of {store} are not those that its manifest.json describes; restore that file, or remove the store."
    )


def test_labels_of_another_shard_are_refused(tmp_path):
    store = tmp_path / "store"
    q.make_store(zip(ARRAYS, LABELS, strict=True), store)
    first, second = store / "images-00000.npz", store / "images-00001.npz"
    assert np.load(first)["labels"].shape == np.load(second)["labels"].shape
    second.write_bytes(first.read_bytes())
    with pytest.raises(q.UserError) as error:
        q.ImageData.from_store(store)
    assert str(error.value) == (
        f"{second} cannot be read (it is not the file that was made); remove it, and it is made again from the source."
    )


def test_a_folder_in_the_place_of_a_shard_is_named(tmp_path):
    store = tmp_path / "store"
    q.make_store(ARRAYS, store)
    path = shards(store)[0]
    path.unlink()
    path.mkdir()
    with pytest.raises(q.UserError, match=f"^{path} is no file; make the store again"):
        q.ImageData.from_store(store)
