"""Runs and a search of an earlier version, kept in old_runs/: they load, go on, and say what they said then.

They were made by version 0.1.0 before its modules moved: `probed` with a device run, `stopped` by SIGTERM in step 23 of
400, and `search` with two trials; figures, curves and most checkpoints were taken out.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.device.results import read_result
from qssl_tf.plugins import load_plugins
from qssl_tf.training.runs import open_run
from qssl_tf.training.verify import damaged_files

KEPT = Path(__file__).resolve().parent / "old_runs"
PLUGIN = KEPT / "plugin.py"


@pytest.fixture
def old(tmp_path, own_words):
    load_plugins([str(PLUGIN)])
    shutil.copytree(KEPT, tmp_path / "runs", symlinks=True)
    return tmp_path / "runs"


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_of_them_is_damaged(old):
    for name in ("probed", "stopped"):
        assert list(damaged_files(open_run(old / name))) == [] and q.load_run(old / name).config.encoder == "tiny"


def test_the_classifier_is_right_as_often_as_it_was(old, digits_data):
    run, probe = q.load_run(old / "probed"), json.loads((old / "probed" / "probe.json").read_text())
    right = 100 * np.mean(run.predict(digits_data.test.images) == digits_data.test.labels)
    assert right == pytest.approx(probe["accuracy_last"], abs=100 * 2 / 360)  # two images at most, by rounding


def test_a_stopped_one_goes_on_to_its_end(old):
    before = rows(old / "stopped" / "history.csv")
    run = q.resume(old / "stopped")
    after = rows(old / "stopped" / "history.csv")
    assert run.step == 400 == len(after) and after[: len(before)] == before
    assert np.mean([float(row["loss"]) for row in after[-20:]]) < np.mean([float(row["loss"]) for row in before])


def test_it_is_probed_and_reported(old):
    result = q.linear_probe(old / "probed", probe_epochs=2)
    assert result.step == 6 and result.n_test == 360
    assert "fake_manila" in q.write_report(old / "probed").read_text(encoding="utf-8")


def test_its_device_result_is_read_and_another_is_made(old):
    (path,) = (old / "probed" / "ibmq").glob("fake_manila-*/result.json")
    assert read_result(path)["images"] == 20
    assert q.run_on_device(old / "probed", "aer", images=10, shots=50)["images"] == 10


def test_a_search_is_read_back(old, here):
    before = rows(old / "search" / "trials.csv")
    done = here("tuning/search.py", "--plugin", PLUGIN, "--resume", old / "search", "--trials", 3)
    assert done.returncode == 0, done.stderr
    after = rows(old / "search" / "trials.csv")
    assert len(before) == 2 and after == before and "there are no more combinations to try" in done.stdout
