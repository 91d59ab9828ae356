"""The commands one after the other, as a user runs them, in whatever environment runs the tests."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ("pretrain --name first --width 4 --steps 20 --batch-size 64", "runs/first/model.keras"),
        ("probe --probe-epochs 60 --probe-passes 1", "runs/first/probe.json"),
        ("device runs/first --images 10 --shots 50 --mitigation none", "runs/first/ibmq/*/result.json"),
        ("report runs/first", "runs/first/report*"),
        ("search --name few --trials 1 --steps 5 --batch-size 64 --probe-epochs 2", "searches/few/trials.csv"),
    ],
    ids=lambda value: value.split()[0],
)
def test_a_command_leaves_its_file(here, folder, words, file):
    done = here("-m", "qssl_tf", *words.split(), folder=folder)
    assert done.returncode == 0, done.stderr
    assert list(folder.glob(file)), [str(path) for path in folder.rglob("*") if path.is_file()]


def test_the_probe_is_better_than_chance(folder):
    """Always the largest class is right for 10.3 % of 360 images; five standard deviations are 8 points."""
    found = json.loads(Path(folder, "runs/first/probe.json").read_text())
    share = found["majority_share"] / 100
    assert found["accuracy_last"] / 100 > share + 5 * (share * (1 - share) / found["n_test"]) ** 0.5
