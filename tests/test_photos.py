"""Photos as people have them, from a folder to a report: unequal classes, odd names, some without a label."""

import os

import numpy as np
import pytest
from PIL import Image

import qssl_tf as q

SETTINGS = q.Config(
    dataset="folder", image_size=8, width=2, layers=1, steps=2, batch_size=8, probe_epochs=2, probe_passes=1
)


@pytest.fixture
def photos(tmp_path):
    """Thirty photos of `$$` and three of a class whose name is no UTF-8, in folders within; not square, in colour."""
    rng = np.random.default_rng(0)
    for name, count in ((b"$$", 30), (b"caf\xe9", 3)):
        inside = os.path.join(os.fsencode(tmp_path), b"photos", name, b"2026")
        os.makedirs(inside)
        for number in range(count):
            pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "one.png")
            os.rename(tmp_path / "one.png", os.path.join(inside, b"%d.png" % number))
    return tmp_path / "photos"


def test_they_go_all_the_way(photos, tmp_path, capsys):
    settings = q.Config.from_dict(SETTINGS.to_dict() | {"data_dir": str(photos)})
    run = q.pretrain(config=settings, runs_dir=tmp_path / "runs", name="one")
    result = q.linear_probe(run)
    q.write_report(run)
    said = capsys.readouterr().out
    assert "photos: 33 of 33 images are not square; the square in their middle is taken\n" in said
    assert "the images are in colour: views by the recipe simclr" in said
    assert result.class_names == ["$$", r"caf\xe9"] and np.sum(result.confusion, axis=1).tolist() == [6, 1]
    assert result.majority_share == pytest.approx(600 / 7) and f"largest class {600 / 7:.1f} %" in said
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert r"$$, caf\xe9" in page and f"{600 / 7:.2f} %" in page
    assert {"$$", r"caf\xe9"} == set((run.folder / "tensorboard" / "classes.tsv").read_text().split())


def test_a_folder_that_was_moved_is_named_on_every_route(photos, tmp_path, here):
    settings = q.Config.from_dict(SETTINGS.to_dict() | {"data_dir": str(photos)})
    run = q.pretrain(config=settings, runs_dir=tmp_path / "runs", name="one")
    photos.rename(tmp_path / "elsewhere")
    commands = (
        ["trainers/linear_eval.py", "--run", run.folder],
        ["-m", "qssl_tf", "report", run.folder],
        ["-m", "qssl_tf.ibmq_infer", "--run", run.folder, "--backend", "aer", "--shots", 10],
    )
    for command in commands:
        lost = here(*command)
        assert lost.stderr.endswith(f"{photos} does not exist; name one that does.\n")
        done = here(*command, "--data-dir", tmp_path / "elsewhere")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_some_without_a_label_train_and_are_not_counted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8), np.arange(60) % 3 - 1
    data = q.ImageData.from_arrays(images, labels, test_images=images, test_labels=labels, name="mine")
    run = q.pretrain(data, SETTINGS, runs_dir=tmp_path / "runs", name="one")
    result = q.linear_probe(run)
    assert (result.n_train, result.n_test, np.sum(result.confusion)) == (40, 40, 40)
    assert result.class_names == ["0", "1"] and len(run.data.train) == 60
    line = (
        "mine: 20 of 60 training images are unlabelled: they train, and no probe sees them; 20 unlabelled test images"
    )
    assert f"{line} are left out\n" in capsys.readouterr().out


def test_without_a_label_to_judge_by_there_is_no_probe(tmp_path):
    images, labels = np.zeros((40, 8, 8), np.uint8), np.arange(40) % 2
    data = q.ImageData.from_arrays(images, labels, test_images=images, test_labels=np.full(40, -1), name="mine")
    run = q.pretrain(data, SETTINGS, runs_dir=tmp_path / "runs", name="one")
    with pytest.raises(q.UserError) as caught:
        q.linear_probe(run)
    assert str(caught.value) == (
        "a linear probe needs labelled test images, and mine has none; train on images that have them."
    )
