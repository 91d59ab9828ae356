"""Trained circuits on noisy devices: one small run from end to end, and the report's tables against NumPy."""

import dataclasses
import json

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.studies import noise, noise_report
from qssl_tf.studies.readings import read_readings, readings_path
from qssl_tf.studies.run import complete_run
from qssl_tf.studies.storage import Storage
from qssl_tf.studies.studies import Condition, RunSpec, Study, study

TINY = Config(width=3, layers=1, steps=2, batch_size=32, probe_epochs=3, noise="fake_manila")


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    condition = Condition("tiny-ring_twin", "ring_twin", None, TINY, 1)
    tiny, spec = Study("a trial", (condition,), (2,), 2, on_devices=True), RunSpec(condition, 0)
    storage = Storage(folder, folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DEVICE": "fake_manila", "OTHER_DEVICE": "fake_lima", "LAYOUTS": 2}.items():
            patch.setattr(noise, name, value)
        complete_run(tiny, spec, storage, "all")
        noise.read_on_devices(tiny, spec, storage, "all")
    return spec, storage, read_readings(storage.results, spec)


def test_every_device_is_read_and_more_noise_is_a_larger_error(read):
    _, _, result = read
    errors = {reading["device"]: reading["rms_raw"] for reading in result["readings"]}
    assert list(errors) == [
        "fake_manila", "fake_manila, half the errors", "fake_manila, 1.5 times the errors",
        "fake_manila, twice the errors", *(f"fake_manila, qubits exchanged, {seed}" for seed in range(3)), "fake_lima",
    ]  # fmt: skip
    assert errors["fake_manila, half the errors"] < errors["fake_manila"] < errors["fake_manila, twice the errors"]
    exact = {reading["accuracy_exact"] for reading in result["readings"]}
    assert len(exact) == 1 and 0 <= exact.pop() <= 100
    assert 1 <= len(result["layouts"]) <= 2 and all(len(score["layout"]) == 3 for score in result["layouts"])


def test_damaged_readings_are_refused(read, tmp_path):
    spec, storage, _ = read
    path = readings_path(tmp_path, spec)
    path.parent.mkdir()
    values = json.loads(readings_path(storage.results, spec).read_text())
    path.write_text(json.dumps(values | {"shots": 0}))
    with pytest.raises(UserError, match="holds no readings of a run"):
        read_readings(tmp_path, spec)
    assert read_readings(tmp_path / "nowhere", spec) is None


def made(values):
    """Return readings of two devices; values: series -> seed -> (accuracy on one, on the other)."""
    found = {}
    for series, by_seed in values.items():
        condition = Condition(series, series, None, TINY, 1)
        for seed, pair in by_seed.items():
            kinds = {kind: 0.0 for kind in noise_report.KINDS} | {"rms_raw": 0.2, "rms_mitigated": 0.1}
            rows = [kinds | {"device": name, "accuracy_raw": value} for name, value in zip("ab", pair, strict=True)]
            layouts = [
                {"layout": [0], "estimated_success": 0.5, "rms_mitigated": 0.02},
                {"layout": [1], "estimated_success": 0.4, "rms_mitigated": 0.01},
            ]
            found[RunSpec(condition, seed)] = {"readings": rows, "layouts": layouts, "shots": 9, "test_images": 1000}
    return found


VALUES = {"ring": {0: (50.0, 40.0), 1: (52.0, 44.0)}, "ring_twin": {0: (55.0, 41.0), 1: (56.0, 44.5), 2: (1.0, 1.0)}}


def test_the_tables_are_numpys():
    readings = made(VALUES)
    table = noise_report.accuracy_table(readings, "accuracy_raw")
    ring, twin = ([pair[0] for pair in VALUES[name].values()] for name in ("ring", "ring_twin"))
    words = [f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" for values in (ring, twin)]
    assert table[2] == f"| a | {words[0]} | {words[1]} |"
    differences = noise_report.difference_table(readings, "ring", "ring_twin")
    steps = np.array([5.0, 4.0])  # of the seeds that both have
    half = 12.706 * np.std(steps, ddof=1) / np.sqrt(2)  # Student's t of one degree of freedom, from a table
    assert differences[2].startswith(
        f"| a | {steps.mean():+.2f} ({steps.mean() - half:+.1f} to {steps.mean() + half:+.1f})"
    )
    assert noise_report.error_table(readings)[2] == "| a | 0.200 / 0.100 | 0.200 / 0.100 |"
    assert "for 0 of 5 circuits; its rms error is 0.0200 on average" in noise_report.layout_sentence(readings)
    assert noise_report.difference_table(made({"ring": VALUES["ring"]}), "ring", "ring_twin") == []


def test_the_figure_is_drawn(tmp_path):
    assert noise_report.draw_devices(tmp_path / "devices.png", made(VALUES))
    assert (tmp_path / "devices.png").stat().st_size > 10_000
    assert not noise_report.draw_devices(tmp_path / "none.png", {})


@pytest.mark.parametrize("name", ["noise", "noise-digits"])
def test_the_studies_differ_in_noise_alone(name):
    ring, averages, twin = (condition.config for condition in study(name).conditions[:3])
    assert (ring.noise, twin.noise) == ("none", "fake_paris") and averages.noise.startswith("readout=")
    assert dataclasses.replace(averages, noise="none") == ring == dataclasses.replace(twin, noise="none")
