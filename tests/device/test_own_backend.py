"""Backends and noise models as objects, against closed forms and Aer's density matrices of the same noise."""

import csv
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit.primitives import StatevectorSampler
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, amplitude_damping_error, depolarizing_error
from qiskit_ibm_runtime import IBMBackend
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

import qssl_tf as q
from qssl_tf.cli import device as command_line
from qssl_tf.device import backends
from qssl_tf.device import plan as planning
from qssl_tf.device.backends import device
from qssl_tf.device.door import device_for
from qssl_tf.device.jobs import run_jobs
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.options import DeviceOptions
from qssl_tf.device.own_backend import own_name
from qssl_tf.training.runs import open_run

WIDTH, SHOTS, IMAGES = 3, 4000, 20
# Chances to read 1 where 0 is, and 0 where 1 is, of each qubit: all different, so that no turned order passes.
GAINED, LOST = np.array([0.01, 0.1, 0.02]), np.array([0.2, 0.03, 0.08])


def readout_only():
    model = NoiseModel()
    for qubit, (gained, lost) in enumerate(zip(GAINED, LOST, strict=True)):
        model.add_readout_error(ReadoutError([[1 - gained, gained], [lost, 1 - lost]]), [qubit])
    return model


def gates_too():
    model = readout_only()
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), ["cx"])
    model.add_all_qubit_quantum_error(amplitude_damping_error(0.03), ["sx"])
    return model


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A trained run of three qubits; its angles differ from qubit to qubit."""
    config = q.Config(width=WIDTH, layers=1, steps=3, batch_size=32, probe_epochs=3)
    run = q.pretrain(config=config, runs_dir=tmp_path_factory.mktemp("runs"))
    q.linear_probe(run)
    return run


def newest(run):
    return (run.folder / "ibmq" / "latest").resolve()


def expectations(run, kind):
    with open(newest(run) / "images.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(row[f"{kind} Z{qubit}"]) for qubit in range(WIDTH)] for row in rows])


def by_density_matrix(run, model):
    """Expectations of the compiled circuit by Aer's density matrices, without readout errors and shots."""
    ledger = Ledger.open(newest(run))
    circuit, rows = ledger.circuits()[0].remove_final_measurements(inplace=False), ledger.values()["rows"][50:]
    circuit.save_density_matrix(qubits=ledger.record["layout"])
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    bound = [circuit.assign_parameters(dict(zip(ledger.record["parameters"], row, strict=True))) for row in rows]
    results = simulator.run(bound).result()
    states = [results.data(number)["density_matrix"] for number in range(len(bound))]
    return np.array([[1 - 2 * state.probabilities([qubit])[1] for qubit in range(WIDTH)] for state in states])


def misread(values, gained, lost):
    """What readout errors make of expectations, from P(1) to P(read 1)."""
    return values * (1 - gained - lost) + lost - gained


def within_shots(found, right):
    """Whether two tables differ by the noise of the shots alone, at five standard deviations of the largest."""
    return np.max(np.abs(found - right)) < 5 / np.sqrt(SHOTS) and np.sqrt(np.mean((found - right) ** 2)) < 1.3 / (
        np.sqrt(SHOTS)
    )


def test_readout_errors_of_a_noise_model_are_those_of_its_qubits(own):
    result = q.run_on_device(own, readout_only(), images=IMAGES, shots=SHOTS, mitigation="readout")
    assert (result["backend"], result["estimated_success"]) == ("own:noise_model", None)
    assert result["final_layout"] == [0, 1, 2]
    exact, raw = expectations(own, "exact"), expectations(own, "raw")
    assert within_shots(raw, misread(exact, GAINED, LOST))
    right = np.clip((raw - (LOST - GAINED)) / (1 - GAINED - LOST), -1, 1)
    np.testing.assert_allclose(expectations(own, "mitigated"), right, atol=1e-7)


def test_gates_of_a_noise_model_are_as_noisy_as_in_aers_density_matrix(own):
    model = gates_too()
    result = q.run_on_device(own, model, images=IMAGES, shots=SHOTS, mitigation="none")
    right = misread(by_density_matrix(own, model), GAINED, LOST)
    assert within_shots(expectations(own, "raw"), right)
    assert not within_shots(right, misread(expectations(own, "exact"), GAINED, LOST))  # the gates' noise is seen
    assert result["rms_error_raw"] == pytest.approx(
        np.sqrt(np.mean((right - expectations(own, "exact")) ** 2)), abs=0.01
    )


def test_a_backend_with_a_made_up_calibration_is_simulated_with_it(own):
    backend = GenericBackendV2(5, coupling_map=[[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2], [3, 4]], seed=3)
    result = q.run_on_device(own, backend, images=IMAGES, shots=SHOTS, mitigation="none")
    assert result["backend"] == "own:generic_backend_5q"
    ledger, target, success = Ledger.open(newest(own)), backend.target, 1.0
    for item in ledger.circuits()[0].data:
        place = tuple(ledger.circuits()[0].find_bit(qubit).index for qubit in item.qubits)
        if item.operation.name != "barrier":
            success *= 1 - (target[item.operation.name][place].error or 0.0)
    assert result["estimated_success"] == pytest.approx(success)
    errors = np.array([target["measure"][(qubit,)].error for qubit in result["final_layout"]])
    right = misread(by_density_matrix(own, NoiseModel.from_backend(backend)), errors, errors)
    assert within_shots(expectations(own, "raw"), right)


def test_a_snapshot_as_an_object_is_the_one_of_its_name(own):
    ours, theirs = (q.run_on_device(own, backend, images=10, shots=200) for backend in (FakeManilaV2(), "fake_manila"))
    assert (ours["backend"], theirs["backend"]) == ("own:fake_manila", "fake_manila")
    differs = {"backend", "jobs", "seconds"}
    assert {name: ours[name] for name in ours if name not in differs} == {
        name: theirs[name] for name in theirs if name not in differs
    }


def test_a_simulator_keeps_its_couplers_and_its_noise(own):
    model = gates_too()
    backend = AerSimulator(noise_model=model, coupling_map=[[1, 0], [1, 2], [2, 3]])
    result = q.run_on_device(own, backend, images=IMAGES, shots=SHOTS, mitigation="none")
    circuit, layout = Ledger.open(newest(own)).circuits()[0], result["final_layout"]
    pairs = {
        tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        for item in circuit.data if item.operation.name == "cx"
    }  # fmt: skip
    assert pairs and pairs <= {(1, 0), (1, 2), (2, 3)}
    gained, lost = (np.append(errors, 0.0)[layout] for errors in (GAINED, LOST))  # qubit 3 is read well
    assert within_shots(expectations(own, "raw"), misread(by_density_matrix(own, model), gained, lost))


def test_a_noise_model_of_pairs_couples_these_alone():
    model = NoiseModel.from_backend(FakeManilaV2())
    assert sorted(device(model).backend.coupling_map) == sorted(FakeManilaV2().coupling_map.get_edges())
    assert device(gates_too()).backend.coupling_map is None


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (AerSimulator(), "own:aer_simulator"),
        (BasicSimulator(), "own:basic_simulator"),
        (GenericBackendV2(3, noise_info=False), "own:generic_backend_3q"),
        (GenericBackendV2(3, basis_gates=["rx", "rz", "rzz"], noise_info=False), "own:generic_backend_3q"),
        (NoiseModel(), "own:noise_model"),
    ],
    ids=["aer", "basic", "uncalibrated", "rzz", "no noise"],
)
def test_without_noise_only_that_of_the_shots_is_left(own, backend, name, capsys):
    result = q.run_on_device(own, backend, images=10, shots=SHOTS, mitigation="none")
    assert (result["backend"], result["estimated_success"]) == (name, 1.0)
    assert f"{name}: it has no noise of its own, so only that of the shots is left\n" in capsys.readouterr().out
    assert within_shots(expectations(own, "raw"), expectations(own, "exact"))


def test_what_a_simulator_cannot_run_is_one_line(own):
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, AerSimulator(method="stabilizer"), images=10)
    assert str(error.value).startswith("`backend` own:aer_simulator_stabilizer c") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("backend", "got"),
    [
        (StatevectorSampler(), "a StatevectorSampler."),
        (FakeManilaV2, "the class FakeManilaV2; make an object of it: FakeManilaV2()."),
        (None, "None."),
        (5, "5."),
    ],
)
def test_what_is_no_backend_is_refused(own, backend, got):
    with pytest.raises(q.UserError) as error:
        q.run_on_device(own, backend)
    assert str(error.value) == (
        "`backend` must be a device's name such as 'fake_paris', a backend of Qiskit (BackendV2) or a noise model of "
        f"Aer (NoiseModel); got {got}"
    )


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("../../x y", "own:x-y"), ("aer_simulator_from(fake_manila)", "own:aer_simulator_from-fake_manila"),
     (None, "own:SimpleNamespace"), ("/", "own:backend"), ("a" * 300, "own:" + "a" * 60)],
)  # fmt: skip
def test_a_recorded_name_fits_into_a_folders(name, recorded):
    assert own_name(name, SimpleNamespace()) == recorded


class Played(IBMBackend):
    """A device of IBM Quantum without a service: what is asked of it before anything is submitted."""

    def __init__(self, status_msg="active"):
        self._manila, self._status, self._service = FakeManilaV2(), status_msg, SimpleNamespace()

    name, service = property(lambda self: "ibm_played"), property(lambda self: self._service)
    target, num_qubits = property(lambda self: self._manila.target), property(lambda self: 5)
    coupling_map = property(lambda self: self._manila.coupling_map)

    def __getattr__(self, name):
        raise AttributeError(name)

    def properties(self):
        return self._manila.properties()

    def status(self):
        return SimpleNamespace(operational=True, status_msg=self._status)


def test_a_device_of_ibm_is_real_and_found_again_by_its_name(own, monkeypatch):
    backend = Played()
    with pytest.raises(q.UserError, match="^ibm_played is a real device and costs time, so nothing was submitted;"):
        q.run_on_device(own, backend, images=10)
    assert json.loads((newest(own) / "record.json").read_text())["backend"] == "ibm_played"
    assert device(backend).service() is backend.service  # a job is asked of the account that submitted it
    with pytest.raises(
        q.UserError,
        match="^`backend` ibm_played runs no jobs now, its status is 'paused'; wait, or take `backend='least_busy'`.$",
    ):
        device(Played("paused"))


def stopped(run, monkeypatch, *words):
    """Call `qssl device RUN` and return what it says."""
    monkeypatch.setattr(sys, "argv", ["device", str(run.folder), *words])
    command_line.main()


def test_a_stopped_run_is_begun_anew_unless_all_counts_are_there(own, monkeypatch, capsys):
    opened, model = open_run(own.folder), readout_only()
    options = DeviceOptions(model, images=10, shots=50)
    chosen = device_for(opened, options)
    ledger = planning.plan(opened, chosen, options)
    anew = "start a new device run with qssl_tf.run_on_device(run, backend=...)"
    again = f"{anew}: own:noise_model was an object, which its name does not bring back"
    assert planning.going_on(opened, ledger) == again
    with pytest.raises(q.UserError) as error:
        stopped(own, monkeypatch, "--resume", ledger.folder.name)
    assert str(error.value) == (
        f"`backend` 'own:noise_model' was an object, which its name does not bring back; {anew}."
    )
    stopped(own, monkeypatch, "--status")
    assert f"{ledger.folder.name}: 0/1 jobs done; {again}" in capsys.readouterr().out
    with pytest.raises(q.UserError, match="runs on this machine, where Ctrl-C stops it"):
        stopped(own, monkeypatch, "--cancel", ledger.folder.name)
    run_jobs(ledger, chosen, print)
    stopped(own, monkeypatch, "--resume", ledger.folder.name)
    assert json.loads((ledger.folder / "result.json").read_text())["images"] == 10


def test_a_recorded_name_is_no_name_of_a_device(own):
    with pytest.raises(
        q.UserError, match="^`backend` 'own:x' was an object, which its name does not bring back; start a "
    ):
        q.run_on_device(own, "own:x")


def test_what_a_backend_raises_is_one_line(monkeypatch):
    class Broken:
        def run(self, pubs):
            raise RuntimeError("the cryostat is warm")

    monkeypatch.setattr(backends.Device, "sampler", lambda self, seed, qubits: Broken())
    with pytest.raises(q.UserError) as error:
        backends.Device("own:x", AerSimulator(), True).simulated([], 0)
    assert str(error.value) == "`backend` own:x cannot simulate this circuit (the cryostat is warm)."
