"""Runs that are trained for a device: what their folder keeps, and that later commands meet the same circuit."""

import json

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.errors import UserError
from qssl_tf.sharing.folder import share
from qssl_tf.training.runs import open_run
from qssl_tf.training.verify import damaged_files

SETTINGS = q.Config(width=3, layers=1, steps=3, batch_size=32, probe_epochs=3, noise="fake_manila")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = q.pretrain(config=SETTINGS, runs_dir=tmp_path_factory.mktemp("runs"), name="twin")
    q.linear_probe(found)
    return found


@pytest.fixture
def changed(run):
    """A function (entries) that changes `twin.json` until the test ends."""
    path = run.folder / "twin.json"
    before = path.read_text()
    yield lambda **entries: path.write_text(json.dumps(json.loads(before) | entries))
    path.write_text(before)


def test_the_folder_says_which_calibration_and_layout(run):
    twin = json.loads((run.folder / "twin.json").read_text())
    assert twin == run.model.head.twin and twin["device"] == "fake_manila" and len(twin["layout"]) == 3
    assert json.loads((run.folder / "config.json").read_text())["noise"] == "fake_manila"


def test_a_device_run_has_that_very_layout_and_only_the_noise_of_its_shots(run, capsys):
    shots = 4096
    result = q.run_on_device(run.folder, "fake_manila", images=30, shots=shots, mitigation="none")
    twin = run.model.head.twin
    assert (result["initial_layout"], result["final_layout"]) == (twin["initial_layout"], twin["layout"])
    assert result["two_qubit_gates"] == twin["two_qubit_gates"]
    assert f"compiled as in training: {twin['two_qubit_gates']} two-qubit gates" in capsys.readouterr().out
    # 90 means of `shots` values of 1 and -1 have a variance of at most 1 / shots each.
    assert result["rms_error_raw"] < 1.5 / np.sqrt(shots)


def test_estimates_of_values_without_noise_are_named(run, capsys):
    q.run_on_device(run.folder, "fake_manila", images=10, shots=100, mitigation="readout")
    assert (
        capsys.readouterr().out.count(
            "the probe's classifier was fitted to values with the noise fake_manila; readout removes the errors of the "
            "readout from the device's\n"
        )
        == 1
    )


def test_another_calibration_is_refused_and_nothing_is_lost(run, changed):
    changed(checksum="0" * 64, calibrated="2031-01-01")
    before = sorted(path.name for path in run.folder.rglob("*"))
    for again in (q.load_run, q.resume, q.linear_probe):
        with pytest.raises(UserError) as caught:
            again(run.folder)
        assert str(caught.value).startswith(
            f"{run.folder} was trained for fake_manila with a calibration of 2031-01-01 (checksum "
            "00000000), and the one here, of "
        )
        assert str(caught.value).endswith(
            f", has other numbers; install the packages of {run.folder / 'versions.json'}, or train a new run."
        )
    assert sorted(path.name for path in run.folder.rglob("*")) == before


def test_another_layout_is_refused(run, changed):
    changed(layout=[4, 3, 2])
    with pytest.raises(
        UserError, match=r" was trained on qubits \[4, 3, 2\] of fake_manila with \d+ two-qubit gates, "
    ):
        q.load_run(run.folder)


def test_another_device_is_refused(run, changed):
    changed(device="fake_lima")
    with pytest.raises(UserError) as caught:
        q.load_run(run.folder)
    assert str(caught.value) == (
        f"{run.folder} was trained for fake_lima by its twin.json and for fake_manila by its config.json; restore the "
        "one that was changed."
    )


def test_spaces_around_the_name_are_dropped_and_qiskits_versions_are_kept(run):
    assert q.Config(noise=" fake_manila ").noise == "fake_manila"
    assert {"qiskit", "qiskit-aer", "qiskit-ibm-runtime"} <= json.loads(
        (run.folder / "versions.json").read_text()
    ).keys()


def test_a_shared_run_brings_its_twin(run, tmp_path):
    folder = share(q.load_run(run.folder), tmp_path / "shared", licence="CC-BY-4.0")
    assert q.load_run(folder).model.head.twin == run.model.head.twin
    assert "twin.json" in (folder / "SHA256SUMS").read_text()


def test_a_damaged_or_missing_record_is_named(run, changed):
    changed(checksum="short")
    path = run.folder / "twin.json"
    with pytest.raises(UserError, match="cannot be read"):
        q.load_run(run.folder)
    assert [line for line in damaged_files(open_run(run.folder)) if "twin.json" in line]
    path.unlink()
    with pytest.raises(UserError) as caught:
        q.load_run(run.folder)
    assert str(caught.value) == f"{path} is missing, which says how fake_manila was calibrated; restore it."
