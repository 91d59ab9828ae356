"""Run folders as arms: made by the package's own writers, without any training."""

import json

import pytest

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.probe import ProbeResult
from qssl_tf.files.write import write_json
from qssl_tf.training.runs import create_run

METADATA = {
    "name": "digits", "image_shape": [8, 8, 1], "class_names": ["0", "1"], "train_images": 32,
    "validation_images": 0, "test_images": 200, "train_sha256": "1" * 64, "validation_sha256": None,
    "test_sha256": "2" * 64,
}  # fmt: skip


def make(folder, name, right, step=4, **settings):
    """A run folder with a probe that told `right` of 200 images, half of them of each class."""
    run = create_run(Config(steps=4, **settings), folder, name, "digits", METADATA)
    confusion = [[100, 0], [200 - right, right - 100]]
    result = ProbeResult(
        "test", "cached", step, 8, 32, 200, right / 2, right / 2, right / 2, 50.0, {"0": 100.0, "1": right - 100.0},
        confusion, ["0", "1"], "3" * 64, 1.0,
    )  # fmt: skip
    write_json(run.probe, result.to_dict())
    return run.folder


@pytest.fixture
def folders(tmp_path):
    rings = [make(tmp_path, f"ring-{seed}", 180 + seed, seed=seed, data_dir="a") for seed in range(3)]
    others = [make(tmp_path, f"other-{seed}", 170 + seed**2, seed=seed, head="identity") for seed in range(3)]
    return rings + others


def test_runs_become_arms_by_their_settings(folders, tmp_path):
    found = q.compare(folders, results=tmp_path / "results")
    assert found.accuracies == {
        "head=quantum": {0: 90.0, 1: 90.5, 2: 91.0}, "head=identity": {0: 85.0, 1: 85.5, 2: 87.0},
    }  # fmt: skip
    assert found.rows[1]["difference"] == pytest.approx(-4.666667, abs=1e-6) and found.rows[1]["pairs"] == 3
    assert json.loads((tmp_path / "results/comparison.json").read_text())["test_images"] == 200


def test_arms_may_be_named(folders, tmp_path):
    arms = {"no head": folders[3:], "ring": folders[:3]}
    found = q.compare(arms, baseline="ring", results=tmp_path / "results", margin=5)
    assert list(found.accuracies) == ["no head", "ring"] and found.baseline == "ring"
    assert "p (within ±5, Holm)" in (tmp_path / "results/comparison.tex").read_text().replace(r"$\pm$", "±")


def test_weights_before_the_last_are_no_pair(folders, tmp_path):
    early = make(tmp_path, "early", 100, step=2, seed=3)
    late = make(tmp_path, "late", 100, seed=3, head="identity")
    found = q.compare([*folders, early, late], results=tmp_path / "results")
    assert any(f"({early}) is left out: it has a cached probe of step 2 of 4" in line for line in found.omissions)
    assert 3 not in found.accuracies["head=quantum"] and found.rows[1]["pairs"] == 3


def test_runs_probed_with_other_settings_are_no_pair(folders, tmp_path):
    for folder, epochs in zip(folders, (100, 100, 100, 100, 100, 5), strict=True):
        probe = json.loads((folder / "probe.json").read_text())
        write_json(folder / "probe.json", probe | {"settings": {"probe_epochs": epochs, "probe_learning_rate": 0.01}})
    old = json.loads((folders[0] / "probe.json").read_text())
    write_json(folders[0] / "probe.json", {name: value for name, value in old.items() if name != "settings"})
    found = q.compare(folders, results=tmp_path / "results")
    assert found.rows[1]["pairs"] == 2
    assert found.omissions[0] == (
        f"head=identity seed 2 ({folders[5]}) is left out: it was probed with probe_epochs 5 (100), in brackets what "
        "most have."
    )


def test_a_run_without_a_probe_is_refused(folders):
    (folders[1] / "probe.json").unlink()
    with pytest.raises(UserError) as caught:
        q.compare(folders)
    assert str(caught.value) == (
        f"{folders[1] / 'probe.json'} does not exist; probe the run with `qssl_tf.linear_probe('{folders[1]}')`."
    )


def test_runs_on_other_images_are_refused(folders, tmp_path):
    path = folders[4] / "data.json"
    path.write_text(path.read_text().replace("2" * 64, "4" * 64))
    with pytest.raises(UserError) as caught:
        q.compare(folders, results=tmp_path / "results")
    assert str(caught.value) == (
        f"compared runs must be judged on the same test images; those of {folders[0]} and {folders[4]} are 200 of "
        "digits each, with other pixels or labels: leave out one of them."
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "what is compared must be run folders, or --arms, --arm or --vary with --seeds; got neither."),
        (("--arms", "ring,classical"), "--seeds must say which seeds to train the arms with, such as 0-9; got none."),
        (
            ("--arms", "ring,clasical", "--seeds", "0-2"),
            "got 'clasical'. Did you mean 'classical'?",
        ),
        (
            ("--arms", "ring,classical", "--seeds", "3"),
            "--seeds must be at least 2 different numbers of at least 0, since one pair has no spread; got [3].",
        ),
        (("--arms", "ring", "--seeds", "0-2"), "a comparison must have at least two arms; got ring."),
        (
            ("--arms", "ring,classical", "--seeds", "0-2", "--margin", "0"),
            "--margin must be above 0 percentage points; got 0.0.",
        ),
        (
            ("--arms", "ring,classical", "--seeds", "0-2", "--head", "identity"),
            "--head is what the arm classical is about; leave out one of them.",
        ),
        (
            ("--arms", "ring,classical", "--seeds", "0-2", "--seed", "1"),
            "--seed is what pairs have in common; give all of them as --seeds.",
        ),
        (
            ("--arms", "ring,classical", "--seeds", "0-2", "--baseline", "identity"),
            "`baseline` must be one of ring, classical; got 'identity'.",
        ),
        (("--arm", "mlp", "--seeds", "0-2"), "--arm must be NAME=FILE with a name of its own; got 'mlp'."),
        (
            ("runs/a", "runs/b", "--seeds", "0-2", "--layers", "3"),
            "runs that are there have their own settings; leave out --layers, --seeds, or the runs.",
        ),
    ],
)
def test_bad_command_lines_are_one_line(here, words, sentence):
    done = here("-m", "qssl_tf", "compare", *words)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.endswith(f"{sentence}\n"), done.stderr


def test_the_command_prints_the_tables_and_says_where_they_are(here, folders, tmp_path):
    done = here("-m", "qssl_tf", "compare", *folders, "--results", tmp_path / "results", "--margin", "5")
    assert done.returncode == 0, done.stderr
    assert "head=identity" in done.stdout and done.stdout.endswith(f"comparison: {tmp_path}/results/comparison.md\n")
    page = (tmp_path / "results" / "comparison.md").read_text()
    assert f"qssl compare {folders[0]} " in page and "+0.0" not in page.splitlines()[2]
