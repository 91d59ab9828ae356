"""Records of device runs: what is written, what is refused."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qssl_tf.device.ledger import Ledger, checksum, planned
from qssl_tf.errors import UserError


def circuit():
    made = QuantumCircuit(2)
    for number in (1, 0):
        made.rx(Parameter(f"x_{number:03d}"), number)
    made.measure_all()
    return made


@pytest.fixture
def ledger(tmp_path, settings):
    values = {"rows": np.linspace(0, 3, 14).reshape(7, 2), "exact": np.zeros((7, 2))}
    return Ledger.create(
        tmp_path / "ibmq" / "one",
        settings(qubits=2),
        [circuit()],
        values,
        [[0, 1, 2, 3], [4, 5, 6]],
    )


def test_it_reads_back_what_was_written(ledger):
    again = Ledger.open(ledger.folder)
    assert again.record == ledger.record
    assert again.record["parameters"] == ["x_000", "x_001"]
    values = {"x_000": 0.3, "x_001": 1.1}
    assert again.circuits()[0].assign_parameters(values) == circuit().assign_parameters(values)
    assert again.missing() == [0, 1]
    assert len({entry["tag"] for entry in again.record["jobs"]}) == 2
    packed = [np.arange(40, dtype=np.uint8).reshape(4, 10, 1)]
    again.keep(0, packed)
    third = Ledger.open(ledger.folder)
    assert third.missing() == [1]
    assert third.record["jobs"][0]["state"] == "done"
    np.testing.assert_array_equal(third.packed(0)[0], packed[0])


def test_a_job_keeps_the_number_of_its_shots(ledger):
    ledger.keep(0, [np.zeros((4, 64, 1), np.uint8)])
    again = Ledger.open(ledger.folder)
    assert (again.asked, again.shots(0), again.shots(1)) == (10, 64, 10)
    assert again.packed(0)[0].shape == (4, 64, 1)
    record = json.loads((ledger.folder / "record.json").read_text())
    record["jobs"][0]["shots"] = 32  # another number than the file has is damage
    (ledger.folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="job-000.npz is damaged"):
        Ledger.open(ledger.folder).packed(0)


@pytest.mark.parametrize(
    ("key", "value"), [("calibration", 0), ("calibration", 51), ("calibration", True), ("initial_layout", ["0"])]
)
def test_later_keys_are_checked_where_they_are(ledger, key, value):
    record = json.loads((ledger.folder / "record.json").read_text())
    assert Ledger.open(ledger.folder).calibration == 50  # as older records, which lack the key
    (ledger.folder / "record.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(UserError, match=f"its {key}(\\.0)? is"):
        Ledger.open(ledger.folder)


@pytest.mark.parametrize("shots", [0, "10", None, 10**9])
def test_impossible_shots_of_a_job_are_refused(ledger, shots):
    record = json.loads((ledger.folder / "record.json").read_text())
    record["jobs"][1]["shots"] = shots
    (ledger.folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"its jobs\.1\.shots is"):
        Ledger.open(ledger.folder)


def test_shots_of_more_circuits_than_there_are_are_refused(ledger):
    record = json.loads((ledger.folder / "record.json").read_text())
    record["jobs"][1]["circuit_shots"] = [10, 10]
    (ledger.folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="its circuit_shots must be 1 numbers, one for each circuit"):
        Ledger.open(ledger.folder)


def test_changed_values_are_noticed(ledger):
    with open(ledger.folder / "values.npz", "wb") as file:
        np.savez(file, rows=np.zeros((7, 2)))
    with pytest.raises(UserError, match="values.npz is not what its record says; start a new device run."):
        Ledger.open(ledger.folder)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"checksum": 3})])
def test_a_damaged_record_is_one_line(ledger, text):
    (ledger.folder / "record.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read|not what its record says"):
        Ledger.open(ledger.folder)


def test_a_missing_run_is_one_line(tmp_path):
    with pytest.raises(UserError, match="holds no device run; `qssl device --status` lists those of a run."):
        Ledger.open(tmp_path / "none")


def test_the_checksum_sees_shape_and_numbers():
    values = np.arange(6.0)
    assert checksum(values.reshape(2, 3)) != checksum(values.reshape(3, 2))
    assert checksum(values) != checksum(values + 1e-12)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("rows", "at_most"), [(60, 55), (60, 60), (60, 100), (203, 70)])
def test_jobs_cover_every_row_within_the_limit(rows, at_most, each):
    jobs = planned(rows, 50, at_most, each)
    assert all(len(job) <= at_most for job in jobs)
    wanted = [row for job in jobs for row in job if row >= 50]
    assert wanted == list(range(50, rows))
    for number, job in enumerate(jobs):
        assert (job[:50] == list(range(50))) == (each or number == 0)


def test_a_limit_below_the_calibration_is_refused():
    with pytest.raises(UserError, match="a job must hold more than the 50 calibration rows; its limits leave 50."):
        planned(60, 50, 50, each=True)
