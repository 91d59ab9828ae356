"""A study's device result: the same record as a device run's, in its old form and in the new."""

import json
from pathlib import Path

import pytest

import qssl_tf as q
from qssl_tf.device.results import read_result
from qssl_tf.studies import device
from qssl_tf.studies.storage import Storage
from qssl_tf.studies.studies import STUDIES, RunSpec
from qssl_tf.training.runs import open_run

RESULTS = Path(__file__).parents[2] / "docs" / "results"
SPEC = RunSpec(STUDIES["paper"].conditions[0], 3)


def test_what_a_study_keeps_is_what_the_device_run_found(tmp_path, monkeypatch):
    config = q.Config(width=2, layers=1, steps=3, batch_size=32, probe_epochs=3)
    run = q.pretrain(config=config, runs_dir=tmp_path)
    q.linear_probe(run)
    for name, value in {"BACKEND": "aer", "IMAGES": 20, "SHOTS": 50}.items():
        monkeypatch.setattr(device, name, value)
    monkeypatch.setattr(device, "finished_run", lambda spec, storage: (None, open_run(run.folder)))
    storage = Storage(tmp_path, tmp_path / "results", None)
    storage.results.mkdir()
    device.run_on_device(STUDIES["paper"], SPEC, storage, "")
    found = json.loads((run.folder / "ibmq" / "latest" / "result.json").read_text())
    assert found["run"] == run.folder.name and found["class_names"] == list(run.class_names)
    assert device.read_device(storage.results) == found | {"run": SPEC.name}
    assert read_result(device.device_path(storage.results)) == found | {"run": SPEC.name}


def test_a_result_of_an_earlier_version_is_read_by_both():
    kept = json.loads((RESULTS / "device.json").read_text())
    assert device.read_device(RESULTS) == kept
    read = read_result(RESULTS / "device.json")
    assert {name: read[name] for name in kept} == kept


@pytest.mark.parametrize("name", device.SHOWN)
def test_a_result_without_what_the_report_shows_is_one_line(tmp_path, name):
    kept = json.loads((RESULTS / "device.json").read_text())
    del kept[name]
    path = device.device_path(tmp_path)
    path.write_text(json.dumps(kept))
    with pytest.raises(q.UserError) as error:
        device.read_device(tmp_path)
    assert str(error.value) == f"{path} is no device's result (it lacks {name}); move it away."


def test_a_confusion_matrix_of_other_classes_is_refused(tmp_path):
    kept = json.loads((RESULTS / "device.json").read_text()) | {"class_names": ["cat", "dog"]}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(kept))
    with pytest.raises(q.UserError) as error:
        read_result(path)
    assert str(error.value) == (
        f"{path} cannot be read (its confusion matrix must have a row and a column for each of its 2 classes); restore "
        "or remove it."
    )
