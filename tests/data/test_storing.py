"""The choice between memory and disk, and whole runs from a store, judged by the same runs from memory."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judges.made_tfds import write_tfds
from judges.stores import assert_same, encoded, flip, photo, shards

import qssl_tf as q
from qssl_tf.data import placement
from qssl_tf.data.sources import load
from qssl_tf.data.store import writing
from qssl_tf.data.store.manifest import read_manifest
from qssl_tf.evaluation.knn import knn_score
from qssl_tf.plots.projector import sprite
from qssl_tf.training.runs import open_run


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of a few images."""
    monkeypatch.setattr(writing, "SHARD_BYTES", 9000)


@pytest.fixture
def settings(tmp_path):
    """Settings of a short run on a folder of 48 photographs of two classes."""
    for number in range(48):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:02d}.jpg").write_bytes(encoded(photo(number, 18)[: 16 + number % 3]))
    return q.Config(
        dataset="folder", data_dir=str(tmp_path / "photos"), store_dir=str(tmp_path / "stores"), image_size=16,
        width=2, layers=1, batch_size=8, steps=7, validation_fraction=0.2, probe_epochs=3, checkpoint_every=2,
    )  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_memory_holds_stays_there(monkeypatch):
    """By the rule of the documentation, on a machine with 4 GB free and on one with 64."""
    for free_bytes, gigabytes, largest, is_large in (
        (4e9, 0.4, 0.4, False),  # small whatever is free
        (4e9, 1.3, 1.3, False),
        (4e9, 1.4, 1.4, True),  # three times as much is not free
        (64e9, 7.9, 7.9, False),
        (64e9, 8.1, 8.1, True),
        (64e9, 9.0, 7.5, False),  # two splits
        (1e8, 0.6, 0.6, True),
    ):
        monkeypatch.setattr(placement, "available", lambda free=free_bytes: free)
        assert placement.goes_to_disk(q.Config(), gigabytes, largest) is is_large
        assert placement.goes_to_disk(q.Config(store="disk"), gigabytes, largest)
        assert not placement.goes_to_disk(q.Config(store="memory"), gigabytes, largest)


def test_a_folder_that_is_too_large_goes_to_disk_and_one_line_says_so(settings, monkeypatch, capsys):
    memory = load(settings)
    assert isinstance(memory.train.images, np.ndarray) and "store" not in capsys.readouterr().out
    monkeypatch.setattr(placement, "SMALL_GB", 1e-6)
    monkeypatch.setattr(placement, "COPIES", 1e9)
    for what in ("go to a new store on disk,", "are read from the store"):
        assert_same(load(settings), memory)
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "store" in line]
        (place,) = [path for path in (open_stores(settings)) if path.is_dir()]
        assert line == f"photos: 48 images, 3.69e-05 GB as pixels, {what} {place}"
    (place / "manifest.json").write_text(json.dumps(read_manifest(place) | {"finished": False}))
    assert_same(load(settings), memory)
    assert f"as pixels, go on into the half-made store {place}\n" in capsys.readouterr().out


def open_stores(settings):
    return sorted(Path(settings.store_dir).iterdir())


def test_the_default_folder_is_the_cache_of_the_user(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    load(replace(settings, store="disk", store_dir=None))
    (place,) = (path for path in (tmp_path / "cache" / "qssl_tf" / "stores").iterdir() if path.is_dir())
    assert place.name.startswith("photos-") and shards(place)
    for cache in ("", "cache", "~/cache"):  # relative ones are passed over, by the specification of these names
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        default = placement.store_folder(replace(settings, store_dir=None), "photos", {})
        assert default.parent == Path.home() / ".cache" / "qssl_tf" / "stores"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(placement, "has_home", lambda: False)
    with pytest.raises(q.UserError) as error:
        load(replace(settings, store="disk", store_dir=None))
    assert str(error.value) == (
        "a store of images must lie somewhere, and there is neither HOME nor a home folder of this user; name a folder "
        "with `store_dir`."
    )


def test_images_that_come_as_arrays_go_to_no_store():
    with pytest.raises(q.UserError) as error:
        load(q.Config(store="disk"))
    assert str(error.value) == (
        "`store` must be auto or memory for `dataset` 'digits', whose images come as arrays; got 'disk'. For images of "
        "your own there is qssl_tf.make_store."
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "changes"), [("cifar10", {}), ("mnist", {"image_size": 12, "classes": (1, 3)})])
def test_tfds_gives_the_same_from_both(name, changes, tmp_path):
    write_tfds(name, tmp_path)
    settings = q.Config(
        dataset=name, batch_size=4, data_dir=str(tmp_path), store_dir=str(tmp_path / "stores"), **changes
    )
    memory, stored = load(settings), load(replace(settings, store="disk"))
    assert_same(stored, memory)
    assert_same(load(replace(settings, store="disk")), memory)  # opened
    (place,) = (path for path in open_stores(settings) if path.is_dir())
    shards(place)[0].unlink()
    assert_same(load(replace(settings, store="disk")), memory)  # mended


def weights(folder):
    run = q.load_run(folder)
    return [variable.numpy() for variable in run.model.weights]


def test_a_run_from_the_store_is_the_run_from_memory(settings, here):
    on_disk = replace(settings, store="disk")
    runs = [q.pretrain(None, config, name=name) for config, name in ((settings, "memory"), (on_disk, "disk"))]
    for one, other in zip(*(weights(run.folder) for run in runs), strict=True):
        np.testing.assert_array_equal(one, other)
    first, second = (q.linear_probe(run) for run in runs)
    assert (first.accuracy_last, first.confusion) == (second.accuracy_last, second.confusion)
    # Each is probed with the images of the other, whose fingerprints are of another kind.
    memory, stored = load(settings), load(on_disk)
    for run, data in zip(runs, (stored, memory), strict=True):
        from qssl_tf.training.provenance import check_images

        check_images(open_run(run.folder), data)
    other = replace(stored, train=stored.train.take(np.arange(len(stored.train))[::-1]))
    for run in runs:
        with pytest.raises(q.UserError, match="was trained on other images than these"):
            check_images(open_run(run.folder), other)


def test_a_flipped_bit_ends_training_in_one_line(settings, here):
    on_disk = replace(settings, store="disk", steps=40)
    data = load(on_disk)
    store, row = data.train.images.store, int(data.train.images.rows.max())
    entries = read_manifest(store.folder)["shards"]
    shard = next(number for number, entry in enumerate(entries) if entry["next"] > row)
    path, image = store.folder / entries[shard]["file"], row - entries[shard]["first"]
    flip(path, path.read_bytes().index(store.records(np.array([row]))[0]) + 5)
    with pytest.raises(q.UserError, match=f"^image {image} of {path} cannot be read .*; remove that file, and it is"):
        q.pretrain(None, on_disk, name="flipped")


def test_figures_and_neighbours_take_stored_images(settings, monkeypatch):
    memory, stored = load(settings), load(replace(settings, store="disk"))
    np.testing.assert_array_equal(sprite(stored.train.images), sprite(memory.train.images))
    for one, other in zip(*(q.sample_views(data, settings, 4) for data in (stored, memory)), strict=True):
        np.testing.assert_array_equal(one, other)
    from qssl_tf.evaluation import knn
    from qssl_tf.training.fit import build

    model = build(settings, memory)[0]
    whole = [knn_score(model, data, data.test) for data in (stored, memory)]
    assert whole[0] == whole[1] and whole[0][2] == ""
    monkeypatch.setattr(knn, "TRAIN_IMAGES", 10)
    monkeypatch.setattr(knn, "JUDGED_IMAGES", 5)
    assert knn_score(model, stored, stored.test)[2] == f" (10 of {len(stored.train)} training images, 5 of 10 judged)"
