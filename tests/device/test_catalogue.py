"""The table of snapshots, held to IBM's own tables of their calibrations."""

import math
import re

import pytest
from judges.compiled_circuits import calibration
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

import qssl_tf as q
from qssl_tf.compiler.snapshots import snapshot, snapshot_names
from qssl_tf.device import catalogue
from qssl_tf.device.inputs import problem
from qssl_tf.device.options import DeviceOptions
from qssl_tf.training.runs import open_run

OPTIONS = DeviceOptions(images=10, shots=100)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A probed run of three qubits and its images."""
    settings = q.Config(width=3, layers=1, steps=2, batch_size=32)
    run = q.pretrain(config=settings, runs_dir=tmp_path_factory.mktemp("runs"), name="small")
    q.linear_probe(run, probe_epochs=1)
    opened = open_run(run.folder)
    return opened, problem(opened, "last", OPTIONS.images, OPTIONS.seed)


def planned_by_the_table(row):
    """Gates and success of a row's circuit, by IBM's own table of errors."""
    gates, readouts = calibration(snapshot(row.name))
    circuit, count, success = row.plan.circuit, 0, 1.0
    for item in circuit.data:
        place = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        name = item.operation.name
        if name != "barrier":
            count += len(place) == 2
            error = readouts[place[0]] if name == "measure" else gates.get((name, place), 0.0)
            success *= 1 - min(error, 0.999)
    return count, success


def test_a_row_says_what_ibms_table_says(small):
    for row in catalogue.rows(*small, OPTIONS, ["fake_manila", "fake_perth"]):
        about = {backend.name: backend for backend in FakeProviderForBackendV2().backends()}[row.name]
        assert (row.qubits, row.basis, row.remark) == (about.num_qubits, ("cx",), "")
        assert row.calibrated.startswith(about.properties().to_dict()["last_update_date"].strftime("%Y-%m-%d"))
        count, success = planned_by_the_table(row)
        assert row.plan_seconds > 0 and row.run_seconds > 0
        cells = [cell.strip() for cell in catalogue.line_of(row).strip("|").split("|")]
        assert cells[:2] == [f"`{row.name}`", str(row.qubits)] and cells[4:6] == [str(count), f"{success:.3f}"]
        assert math.isclose(row.plan.success, success, rel_tol=1e-9)


def test_what_cannot_run_is_a_row_with_its_reason(small, monkeypatch):
    def failing(run, task, chosen, seed, report):
        raise ValueError("it fell | over\nand more")

    monkeypatch.setattr(catalogue, "compiled", failing)
    armonk, manila = catalogue.rows(*small, OPTIONS, ["fake_armonk", "fake_manila"])
    assert (armonk.plan, armonk.remark) == (None, "fewer than 3 qubits")
    assert manila.plan is None
    assert catalogue.line_of(manila).endswith("|        | it fell \\| over |")
    assert catalogue.line_of(armonk) == (
        "| `fake_armonk`       | 1      | none           | 2021-03-15 |       |         |         |        "
        "| fewer than 3 qubits |"
    )


def test_the_command_prints_a_table_and_keeps_nothing(small, here):
    run, _ = small
    before = sorted(run.folder.rglob("*"))
    words = ["--images", "10", "--shots", "100", "--list", "fake_manila,fake_armonk"]
    done = here("-m", "qssl_tf", "device", run.folder, *words)
    assert done.returncode == 0, done.stderr
    first, empty, *table = done.stdout.splitlines()
    assert first == f"{run.folder}: seconds to run are those of 10 images, 100 shots each, reckoned from 50 rows"
    assert empty == "" and table[0].startswith("| snapshot ") and set(table[1]) == set("| -")
    assert [re.match(r"\| `(\w+)`", line)[1] for line in table[2:]] == ["fake_manila", "fake_armonk"]
    assert len({line.count("|") for line in table}) == 1
    assert sorted(run.folder.rglob("*")) == before


def test_an_unknown_snapshot_is_one_line(small, here):
    done = here("-m", "qssl_tf", "device", small[0].folder, "--list", "fake_manila,fake_pari")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: `list` must be one of fake_aachen, ")
    assert done.stderr.endswith("; got 'fake_pari'. Did you mean 'fake_paris'?\n")


@pytest.mark.parametrize("name", snapshot_names())
def test_every_snapshot_is_planned(small, name):
    (row,) = catalogue.rows(*small, OPTIONS, [name])
    if row.qubits < 3:
        assert row.remark == "fewer than 3 qubits"
        return
    assert row.plan is not None, row.remark
    count, success = planned_by_the_table(row)
    assert row.plan.two_qubit_gates == count and math.isclose(row.plan.success, success, rel_tol=1e-9)
