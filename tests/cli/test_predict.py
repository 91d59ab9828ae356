"""Predictions for a folder of files, judged by the arrays that the files were made of."""

import csv

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

import qssl_tf as q

READY = "digits-ring"


@pytest.fixture
def digits(tmp_path, digits_data):
    """Ten test digits as gray files, one of them in a folder within, beside what is no image."""
    folder = tmp_path / "new"
    (folder / "within").mkdir(parents=True)
    for number, image in enumerate(digits_data.test.images[:10]):
        place = folder / "within" if number == 9 else folder
        Image.fromarray(image[..., 0]).save(place / f"{number}.png")
    (folder / "notes.txt").write_text("none")
    return folder


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_says_what_python_says(digits, digits_data, here, tmp_path, monkeypatch):
    done = here("-m", "qssl_tf", "predict", READY, "--images", digits, "--output", tmp_path / "found.csv",
                "--runs-dir", tmp_path / "runs")  # fmt: skip
    assert done.returncode == 0 and done.stdout == f"10 images: {tmp_path / 'found.csv'}\n", done.stderr
    run, table = q.load_run(READY), rows(tmp_path / "found.csv")
    images = digits_data.test.images[:10]
    assert [row["file"] for row in table] == [*(f"{number}.png" for number in range(9)), "within/9.png"]
    assert [row["class"] for row in table] == [run.class_names[label] for label in run.predict(images)]
    with np.load(run.folder / "probe.npz") as fit:
        expected = softmax(run.features(images) @ fit["kernel"] + fit["bias"], axis=1)
    found = np.array([[float(row[f"probability of {name}"]) for name in run.class_names] for row in table])
    assert found == pytest.approx(expected, abs=6e-5)
    assert [float(row["probability"]) for row in table] == pytest.approx(expected.max(axis=1), abs=6e-5)


def test_other_sizes_and_colours_become_the_runs(digits, here, tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(colour).save(digits / "wide.jpg", quality=95)
    done = here("-m", "qssl_tf", "predict", READY, "--images", digits, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "runs" / READY / "predictions.csv")) == 11


def test_a_file_whose_name_is_a_formula_is_text(digits, here, tmp_path):
    (digits / "0.png").rename(digits / "=1+1.png")
    output = tmp_path / "found.csv"
    done = here("-m", "qssl_tf", "predict", READY, "--images", digits, "--output", output)
    assert done.returncode == 0, done.stderr
    assert {"'=1+1.png", "1.png"} <= {row["file"] for row in rows(output)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--images", "nowhere"], "the folder of images nowhere does not exist; name one that does."),
        (["--images", "empty"], "empty must hold images (.png, .jpg,"),
        (["--images", "broken"], "1 image in broken cannot be read: bad.png ("),
        ([], "the following arguments are required: --images"),
    ],
)
def test_mistakes_are_one_line(tmp_path, here, arguments, sentence, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "bad.png").write_bytes(b"no picture")
    named = [str(tmp_path / word) if word in ("empty", "broken") else word for word in arguments]
    done = here("-m", "qssl_tf", "predict", READY, "--runs-dir", tmp_path / "runs", *named)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert sentence in done.stderr.replace(f"{tmp_path}/", ""), done.stderr
