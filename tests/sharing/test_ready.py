"""The runs that come with the package: complete, small, and as good as their cards say."""

import json
import shutil

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.data.sources import load
from qssl_tf.files.checksums import check_sums
from qssl_tf.sharing import ready


@pytest.mark.parametrize("name", ready.ready_names())
def test_files_are_those_of_their_checksums_and_few(name):
    folder = ready.WEIGHTS / name
    check_sums(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 2_000_000
    card = (folder / "README.md").read_text()
    assert "95 % interval" in card and "Apache-2.0" in card and "Seed 0" in card


def test_the_digits_are_judged_as_the_card_says(digits_data):
    """Against counting by hand; only rounding on another machine may tip an image."""
    run = q.load_pretrained("digits-ring")
    right = np.mean(run.predict(digits_data.test.images) == digits_data.test.labels)
    said = json.loads((run.folder / "probe.json").read_text())
    assert 100 * right == pytest.approx(said["accuracy_last"], abs=0.6) and right > 0.85
    assert f"**{said['accuracy_last']:.1f} %** of 360 test images" in (run.folder / "README.md").read_text()
    facts = json.loads((run.folder / "data.json").read_text())
    assert facts["train_sha256"] == digits_data.train.fingerprint()


def test_cifar_is_judged_as_the_card_says(cifar_dir):
    run = q.load_pretrained("cifar10-best")
    test = load(q.Config.from_dict(run.config.to_dict() | {"data_dir": cifar_dir})).test
    right = np.mean(run.predict(test.images) == test.labels)
    said = json.loads((run.folder / "probe.json").read_text())["accuracy_last"]
    assert 100 * right == pytest.approx(said, abs=0.2) and right > 0.7


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digits", "Did you mean 'digits-ring'?"),
        ("paper", "Settings without weights: qssl_tf.PRESETS['paper'] for qssl_tf.pretrain."),
    ],
)
def test_other_names_are_one_line(name, hint):
    with pytest.raises(q.UserError) as error:
        q.load_pretrained(name)
    assert str(error.value) == f"`name` must be one of cifar10-best, digits-ring; got '{name}'. {hint}"


def test_a_damaged_file_is_found_before_it_is_used(tmp_path, monkeypatch):
    shutil.copytree(ready.WEIGHTS / "digits-ring", tmp_path / "digits-ring")
    path = next((tmp_path / "digits-ring" / "checkpoints").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(ready, "WEIGHTS", tmp_path)
    with pytest.raises(q.UserError, match="is not the file that SHA256SUMS vouches for; get the folder again"):
        q.load_pretrained("digits-ring")
