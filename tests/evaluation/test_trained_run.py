"""The runs that come with the package: complete, small, and as good as their cards say."""

import json
import shutil

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.data.sources import load
from qssl_tf.evaluation import trained_run
from qssl_tf.files.checksums import check_sums


@pytest.mark.parametrize("name", trained_run.ready_names())
def test_files_match_their_checksums_and_are_small(name):
    folder = trained_run.WEIGHTS / name
    check_sums(folder)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 2_000_000
    card = (folder / "README.md").read_text()
    assert "95 % interval" in card and "Apache-2.0" in card and "Seed 0" in card


def test_the_digits_accuracy_is_that_of_the_card(digits_data):
    """Counted by hand; rounding on another machine may flip an image."""
    run = q.load_pretrained("digits-ring")
    accuracy = np.mean(run.predict(digits_data.test.images) == digits_data.test.labels)
    probe = json.loads((run.folder / "probe.json").read_text())
    assert 100 * accuracy == pytest.approx(probe["accuracy_last"], abs=0.6) and accuracy > 0.85
    assert f"**{probe['accuracy_last']:.1f} %** of 360 test images" in (run.folder / "README.md").read_text()
    facts = json.loads((run.folder / "data.json").read_text())
    assert facts["train_sha256"] == digits_data.train.fingerprint()


def test_the_cifar_accuracy_is_that_of_the_card(cifar_dir):
    run = q.load_pretrained("cifar10-best")
    test = load(q.Config.from_dict(run.config.to_dict() | {"data_dir": cifar_dir})).test
    accuracy = np.mean(run.predict(test.images) == test.labels)
    probe = json.loads((run.folder / "probe.json").read_text())
    assert 100 * accuracy == pytest.approx(probe["accuracy_last"], abs=0.2) and accuracy > 0.7


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
    shutil.copytree(trained_run.WEIGHTS / "digits-ring", tmp_path / "digits-ring")
    path = next((tmp_path / "digits-ring" / "checkpoints").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(trained_run, "WEIGHTS", tmp_path)
    with pytest.raises(q.UserError, match="is not the file that SHA256SUMS vouches for; get the folder again"):
        q.load_pretrained("digits-ring")
