"""Devices by name, their noise, and the adapter of real ones in Qiskit's local mode."""

import numpy as np
import pytest
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.noise_model import noise_model
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import translated
from qssl_tf.device.backends import Device, device
from qssl_tf.device.costs import most_shots, rows_a_job
from qssl_tf.device.counts import expectations
from qssl_tf.device.jobs import _bits
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import circuit_spec


def test_names():
    assert device("aer").is_local and device("fake_paris").is_local
    with pytest.raises(UserError, match="Did you mean 'fake_paris'?"):
        device("fake_pariss")


def test_the_least_busy_device_keeps_its_own_name(monkeypatch):
    paris = snapshot("fake_paris")
    monkeypatch.setattr("qssl_tf.device.service.real_backend", lambda name, fractional: {"least_busy": paris}[name])
    assert device("least_busy") == Device("fake_paris", paris, False)


def test_readout_errors_of_0_and_1_are_apart_as_calibrated():
    paris = snapshot("fake_paris")
    known = paris.properties().qubit_property(5)
    model = noise_model(paris)
    found = model._local_readout_errors[(5,)].probabilities
    lost, gained = known["prob_meas0_prep1"][0], known["prob_meas1_prep0"][0]
    np.testing.assert_allclose(found, [[1 - gained, gained], [lost, 1 - lost]])
    assert abs(lost - gained) > 0.1  # what one number for both would hide


def test_contrast_is_the_calibrated_readout():
    paris = device("fake_paris")
    errors = [paris.backend.target["measure"][(qubit,)].error for qubit in (3, 11)]
    assert paris.readout_contrast([3, 11]) == pytest.approx([1 - 2 * error for error in errors])


def test_the_shift_is_the_difference_of_both_calibrated_errors():
    paris = device("fake_paris")
    known = [paris.backend.properties().qubit_property(qubit) for qubit in (3, 11)]
    right = [table["prob_meas0_prep1"][0] - table["prob_meas1_prep0"][0] for table in known]
    assert paris.readout_shift([3, 11]) == pytest.approx(right) and max(map(abs, right)) > 0.01
    assert device("aer").readout_shift([0, 1]) == [0.0, 0.0]


@pytest.mark.parametrize(
    "suppression",
    [(), ("twirling",), ("readout_twirling",), ("gate_twirling",), ("decoupling", "gate_twirling", "readout_twirling")],
)
def test_the_sampler_of_real_devices_gives_the_same_bits_in_the_same_order(suppression):
    """Qiskit runs it locally for a snapshot. Qubits have different angles, which no turned order survives."""
    real = Device("manila", snapshot("fake_manila"), is_local=False)
    spec = circuit_spec(3, "none", 1)
    compiled = compile_head(translated(spec, np.zeros(3)), real.backend)[0]
    rows = np.array([[0.2, 1.2, 2.6], [2.9, 0.4, 1.5]])
    sampler = real.sampler(0, suppression)
    sampler.options.environment.job_tags = ["tag"]
    result = sampler.run([(compiled.circuit, {tuple(map(str, spec.inputs)): rows}, 4096)]).result()
    np.testing.assert_allclose(expectations(_bits(result[0]), np.eye(3)), np.cos(rows), atol=0.15)
    asked = sampler.run([(compiled.circuit, {tuple(map(str, spec.inputs)): rows}, 1000)]).result()
    assert _bits(asked[0]).num_shots == most_shots(1000, suppression) == (1024 if suppression else 1000)
    read = {"twirling", "readout_twirling"}.intersection(suppression)
    assert sampler.options.twirling.enable_measure == (True if read else None)
    assert sampler.options.twirling.enable_gates == (True if "gate_twirling" in suppression else None)
    assert sampler.options.dynamical_decoupling.enable == ("decoupling" in suppression)


def test_jobs_hold_no_more_shots_than_a_device_runs():
    """The limit is IBM Quantum's; Qiskit's own rule for twirling says how many shots are run."""
    real = Device("manila", None, is_local=False)
    for shots in (1, 100, 1000, 8192, 20_000):
        groups, each = calculate_twirling_shots(shots, "auto", "auto")
        assert most_shots(shots, ["twirling"]) == groups * each
        rows = rows_a_job(real, 2, shots, ["twirling"])
        assert rows * 2 * groups * each <= 10_000_000 < (rows + 1) * 2 * groups * each
    with pytest.raises(UserError) as caught:
        rows_a_job(real, 1, 200_000)
    assert str(caught.value) == (
        "`shots` must be fewer on manila, whose jobs run at most 10,000,000 shots and begin with 50 calibration rows; "
        "got 200,000."
    )


def test_the_contrast_is_that_of_both_readout_errors():
    """By IBM's own tables; the target's one number for both is another one on some qubits of new devices."""
    different = 0
    for name in ("fake_paris", "fake_miami", "fake_aachen"):
        backend = snapshot(name)
        table = backend.properties().to_dict()["qubits"]
        errors = [{entry["name"]: entry["value"] for entry in qubit} for qubit in table]
        judge = [1 - qubit["prob_meas1_prep0"] - qubit["prob_meas0_prep1"] for qubit in errors]
        np.testing.assert_allclose(device(name).readout_contrast(range(backend.num_qubits)), judge, rtol=1e-12)
        single = [1 - 2 * backend.target["measure"][(qubit,)].error for qubit in range(backend.num_qubits)]
        different += int(np.sum(~np.isclose(judge, single)))
    assert different
