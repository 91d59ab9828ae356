"""The command that keeps images on disk, judged by the same images in memory."""

import functools
import importlib
import re

import pytest
from judges.stores import assert_same, encoded, flip, photo, shards

import qssl_tf as q
from qssl_tf.cli.runs import given_places


@pytest.fixture
def photos(tmp_path):
    for number in range(12):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(encoded(photo(number)))
    return tmp_path / "photos"


def test_a_store_is_made_shown_verified_and_mended(here, photos, tmp_path):
    words = ("store", "--dataset", "folder", "--data-dir", photos, "--store-dir", tmp_path / "stores")
    done = here("-m", "qssl_tf", *words)
    (folder,) = (path for path in (tmp_path / "stores").iterdir() if path.is_dir())
    size = sum(path.stat().st_size for path in shards(folder)) / 1e9
    held = f"{folder}: 12 images of photos, 16 x 16 x 3, 12 of them JPEGs; {size:.3g} GB in 1 file\n"
    assert done.returncode == 0 and done.stdout.endswith(held), done.stderr
    assert_same(q.ImageData.from_store(folder), q.ImageData.from_folder(photos))
    done = here("-m", "qssl_tf", "store", folder, "--verify")
    assert done.returncode == 0 and done.stdout == f"{held}every file is the one that was made\n", done.stderr
    (path,) = shards(folder)
    flip(path, path.read_bytes().index((photos / "cat" / "0.jpg").read_bytes()) + 20)
    done = here("-m", "qssl_tf", "store", folder, "--verify")
    assert done.returncode == 2 and done.stderr.endswith(
        f"error: {path} is not the file that was made. Remove what is damaged and make the store again: that alone is "
        "remade.\n"
    )
    path.unlink()
    assert here("-m", "qssl_tf", *words).returncode == 0
    assert_same(q.ImageData.from_store(folder), q.ImageData.from_folder(photos))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "STORE must be named to look at one, or --dataset (and --data-dir) to make one."),
        (("there", "--dataset", "folder"), "--dataset belongs to a new store; leave it out beside STORE."),
        (("none",), "none must be a store of images, and has no manifest.json; name one, or make it first."),
        (
            ("--dataset", "digits"),
            "`store` must be auto or memory for `dataset` 'digits', whose images come as arrays; got 'disk'. For "
            "images of your own there is qssl_tf.make_store.",
        ),
    ],
)
def test_mistakes_are_one_line(words, sentence, here):
    done = here("-m", "qssl_tf", "store", *words)
    assert done.returncode == 2 and done.stderr == f"error: {sentence}\n"


PLACES = ("--data-dir", "moved", "--store", "disk", "--store-dir", "stores")


@pytest.mark.parametrize("command", ["pretrain", "probe", "report", "device"])
def test_commands_on_a_run_are_told_where_its_images_lie_now(command):
    parser = importlib.import_module(f"qssl_tf.cli.{command}").parser()
    assert given_places(parser.parse_args(PLACES)) == {"data_dir": "moved", "store": "disk", "store_dir": "stores"}
    assert given_places(parser.parse_args([])) == given_places(parser.parse_args(["--data-dir", "none"])) == {}


def test_a_run_goes_on_and_is_probed_where_its_images_lie_now(here, photos, tmp_path):
    here = functools.partial(here, folder=tmp_path)
    settings = ("--image-size", 16, "--width", 2, "--layers", 1, "--batch-size", 4, "--steps", 2, "--probe-epochs", 2)
    begun = here("-m", "qssl_tf", "pretrain", "--dataset", "folder", "--data-dir", photos, *settings, "--name", "run")
    assert begun.returncode == 0, begun.stderr
    in_memory = here("-m", "qssl_tf", "probe", "runs/run")
    photos.rename(tmp_path / "moved")
    assert here("-m", "qssl_tf", "probe", "runs/run").returncode == 2
    assert not (tmp_path / "stores").exists()
    on_disk = here("-m", "qssl_tf", "probe", "runs/run", *PLACES)
    said = [re.findall("(?:network|step 2): [0-9.]+ %", done.stdout) for done in (in_memory, on_disk)]
    assert said[0] == said[1] and len(said[0]) == 2, on_disk.stderr
    assert any((tmp_path / "stores").glob("moved-*/manifest.json"))
    resumed = here("-m", "qssl_tf", "pretrain", "--resume", "runs/run", *PLACES)
    assert resumed.returncode == 0 and "finished already: 2 steps" in resumed.stdout, resumed.stderr
