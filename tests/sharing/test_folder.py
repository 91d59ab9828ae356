"""A shared run: read back by the package, its checksums by `sha256sum`, its card compared with its files."""

import dataclasses
import json
import platform
import shutil
import subprocess

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.files.checksums import check_sums, listed
from qssl_tf.reports.report import write_page
from qssl_tf.sharing.card import CardContent, card
from qssl_tf.sharing.folder import share

SETTINGS = q.Config(width=2, layers=1, steps=5, batch_size=16, probe_epochs=2, data_dir="/home/somebody/secret")
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
DATA = q.ImageData.from_arrays(IMAGES, np.arange(60) % 3)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two probed seeds."""
    folder, runs = tmp_path_factory.mktemp("runs"), []
    for seed in (0, 1):
        run = q.pretrain(DATA, dataclasses.replace(SETTINGS, seed=seed), runs_dir=folder, name=f"seed{seed}")
        q.linear_probe(run)
        runs.append(run)
    return runs


@pytest.fixture
def shared(runs, tmp_path):
    return share(runs[0], tmp_path / "small-net", seeds=[runs[1].folder], licence="CC-BY-4.0", note="Random pixels.")


def test_it_gives_the_same_features_and_classes(runs, shared):
    again = q.load_run(shared)
    np.testing.assert_array_equal(again.features(IMAGES), runs[0].features(IMAGES))
    np.testing.assert_array_equal(again.predict(IMAGES), runs[0].predict(IMAGES))


def test_its_checksums_are_those_of_coreutils(shared):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=shared, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file()}
    assert {line.split(":")[0] for line in done.stdout.splitlines()} == files - {"SHA256SUMS"}
    check_sums(shared)


def test_the_card_says_what_the_files_say(runs, shared):
    card = (shared / "README.md").read_text()
    probes = [json.loads((run.folder / "probe.json").read_text()) for run in runs]
    accuracies = [probe["accuracy_last"] for probe in probes]
    assert f"is right on **{accuracies[0]:.1f} %** of 12 test images, 33.3 % of which are of the largest class;" in card
    recalls = [100 * row[index] / sum(row) for index, row in enumerate(probes[0]["confusion"])]
    assert f"(balanced accuracy) is {np.mean(recalls):.1f} %." in card
    for seed, accuracy in enumerate(accuracies):
        assert f"{accuracy:.1f} (seed {seed})" in card
    assert f"with 2 seeds: {np.mean(accuracies):.1f} ± {np.std(accuracies, ddof=1):.1f} %" in card
    assert "Random pixels." in card and "Weights: CC-BY-4.0." in card and DATA.train.fingerprint() in card
    assert "`ring` on 2 qubits, 1 layer (exact)" in card and "| `batch_size` | 16 |" in card


def test_nothing_about_this_machine_is_shared(shared):
    texts = [path.read_bytes() for path in shared.rglob("*") if path.is_file()]
    assert not any(b"somebody" in text or platform.platform().encode() in text for text in texts)
    assert not {"state", "tensorboard", "model.keras"} & {path.name for path in shared.iterdir()}


def test_a_small_folder_leaves_tables_and_pictures_out(runs, tmp_path):
    names = {path.name for path in share(runs[0], tmp_path / "s", licence="x", small=True).iterdir()}
    assert names == {
        "README.md", "SHA256SUMS", "checkpoints", "config.json", "data.json", "probe.json", "probe.npz", "versions.json"
    }  # fmt: skip


def test_a_shared_probe_is_not_replaced(shared):
    with pytest.raises(q.UserError, match="was made for others and keeps its probe; copy it and remove SHA256SUMS"):
        q.linear_probe(shared, DATA)
    assert not list(shared.glob(".*"))  # not even a lock
    check_sums(shared)


def test_a_shared_run_without_a_probe_can_be_probed(runs, tmp_path):
    """And drawn: files in SHA256SUMS stay as they are, and new ones are written beside them."""
    shutil.copytree(runs[0].folder, tmp_path / "copy", ignore=shutil.ignore_patterns("probe.*", "confusion.*"))
    folder = share(q.load_run(tmp_path / "copy"), tmp_path / "shared", licence="x")
    before = listed(folder)
    result = q.linear_probe(folder, DATA)
    assert json.loads((folder / "probe.json").read_text())["accuracy_last"] == result.accuracy_last
    again = q.load_run(folder)
    assert again.predict(IMAGES).shape == (60,)
    write_page(again, {})
    assert q.load_run(folder).step == 5 and listed(folder) == before and "probe.json" not in before
    with pytest.raises(q.UserError, match="was made for others and keeps its weights; copy it"):
        q.resume(folder, DATA)


def test_a_changed_or_missing_file_is_named(shared):
    config = (shared / "config.json").read_text()
    (shared / "config.json").write_text(config.replace("0.2", "0.3"))
    with pytest.raises(q.UserError, match=r"config\.json is not the file that SHA256SUMS vouches for; get the folder"):
        check_sums(shared)
    (shared / "config.json").unlink()
    with pytest.raises(q.UserError, match=r"config\.json is missing; get the folder again"):
        check_sums(shared)


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../../etc/passwd", f"{'0' * 64} one-space"])
def test_hostile_checksums_are_one_line(shared, line):
    (shared / "SHA256SUMS").write_text(line + "\n")
    with pytest.raises(q.UserError, match="must name a checksum and a file in each line"):
        check_sums(shared)


def test_runs_that_do_not_match_are_refused(runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs[1].folder, other)
    config = json.loads((other / "config.json").read_text())
    ours, probe = runs[0].folder, runs[0].folder / "probe.json"
    target, untrained = tmp_path / "a", q.load_run(runs[0].folder, 0)
    (other / "config.json").write_text(json.dumps(config | {"width": 3}))
    for run, folder, seeds, sentence in (
        (runs[0], tmp_path, [], f"{tmp_path} exists already; name another folder with `output`."),
        (untrained, target, [], f"{probe} is of step 5 and the weights are of 0; probe them, or share those."),
        (runs[0], target, [ours], f"`seeds` must name runs of other seeds; seed 0 of {ours} is there twice."),
        (
            runs[0],
            target,
            [other],
            f"`seeds` must name runs with the same settings; {other} has others (width: 2 against 3).",
        ),
    ):
        with pytest.raises(q.UserError) as error:
            share(run, folder, licence="x", seeds=seeds)
        assert str(error.value) == sentence
        assert not target.exists()


def test_weights_of_an_unfinished_training_are_labelled(runs, here, tmp_path):
    whole, copy = runs[0].folder, tmp_path / "copy"
    for target in (tmp_path / "finished", copy):
        shutil.copytree(whole, target, ignore=shutil.ignore_patterns("probe.*"))
    (copy / "checkpoints" / "step-000005.weights.h5").unlink()  # as if it had been stopped before its last step
    for folder, progress in (
        (tmp_path / "finished", "step 0 of 5, not the last of its training"),
        (copy, "step 0 of 5, training is unfinished"),
    ):
        output = tmp_path / f"{folder.name}-shared"
        done = here("-m", "qssl_tf", "share", folder, "--checkpoint", "0", "--output", output, "--small")
        assert done.returncode == 0 and done.stdout.startswith(f"{output}: weights after {progress}, "), done.stderr
        assert f"**These are not the weights of a whole training: {progress}.**" in (output / "README.md").read_text()
    share(runs[0], tmp_path / "last", licence="x")
    assert "whole training" not in (tmp_path / "last" / "README.md").read_text()


def test_a_damaged_record_is_one_line(runs, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(runs[0].folder, copy)
    (copy / "versions.json").write_text('{"python": "3.1')
    with pytest.raises(q.UserError, match=r"versions\.json cannot be read \(.*\); restore or remove it\."):
        share(q.load_run(copy), tmp_path / "a", licence="x")
    assert not (tmp_path / "a").exists()


def test_the_command_says_what_it_wrote(runs, here, tmp_path):
    done = here("-m", "qssl_tf", "share", runs[0].folder, "--output", tmp_path / "out", "--small")
    assert done.returncode == 0 and done.stdout.startswith(f"{tmp_path / 'out'}: weights after step 5, 0."), done.stderr
    check_sums(tmp_path / "out")
    again = here("-m", "qssl_tf", "share", runs[0].folder, "--output", tmp_path / "out")
    assert again.returncode == 2 and again.stderr == (
        f"error: {tmp_path / 'out'} exists already; name another folder with --output.\n"
    )


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("nt_xent", "trained together without labels by contrastive learning as in Jaderberg"),
        ("byol", "trained together without labels for the objective `byol` in place of the contrastive one"),
        ("supervised", "trained together with labels for the objective `supervised` in place of the contrastive one"),
    ],
)
def test_a_card_says_what_was_trained_for(objective, words):
    data = {"name": "a", "image_shape": [8, 8, 1], "train_images": 9, "test_images": 3, "class_names": ["b", "c"]}
    config = dataclasses.replace(SETTINGS, objective=objective)
    content = CardContent("net", config, data | {"train_sha256": "0"}, {}, 5, None, {}, "CC0-1.0")
    text = " ".join(card(content).split())
    assert words in text
    assert f"9 training images, used {'with' if objective == 'supervised' else 'without'} labels" in text
