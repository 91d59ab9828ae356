"""Drifted calibrations against Qiskit's own measures of their errors."""

import numpy as np
import pytest
from qiskit.quantum_info import SuperOp, average_gate_fidelity

from qssl_tf.compiler.drift import drifted_errors
from qssl_tf.compiler.noise_model import calibrated_errors, noise_model
from qssl_tf.compiler.snapshots import calibration_checksum, snapshot
from qssl_tf.studies.arms import PARIS_AVERAGES

QUBITS = [11, 14, 16, 19, 20]


def infidelities(errors):
    return {key: 1 - average_gate_fidelity(SuperOp(error)) for key, error in errors.gates.items()}


def test_without_drift_nothing_changes():
    paris = snapshot("fake_paris")
    today, same = calibrated_errors(paris, QUBITS), drifted_errors(paris, QUBITS)
    assert same.readout == today.readout
    assert infidelities(same) == pytest.approx(infidelities(today))


def test_scaled_errors_are_that_much_less_faithful():
    paris = snapshot("fake_paris")
    table, now, later = paris.target, calibrated_errors(paris, QUBITS), drifted_errors(paris, QUBITS, scale=2.0)
    for (name, place), value in infidelities(later).items():
        if name in ("sx", "cx"):  # what their calibration reports, unless relaxation alone is more
            assert value >= 2 * table[name][place].error * (1 - 1e-6) and value == pytest.approx(
                2 * infidelities(now)[name, place], rel=0.05
            )
    for qubit in QUBITS:
        assert later.readout[qubit] == pytest.approx(tuple(2 * flip for flip in now.readout[qubit]))


def test_exchanged_qubits_have_the_same_numbers_elsewhere():
    paris = snapshot("fake_paris")
    now, later = calibrated_errors(paris, QUBITS), drifted_errors(paris, QUBITS, seed=1)
    assert sorted(later.readout.values()) == sorted(now.readout.values()) and later.readout != now.readout
    for name in ("sx", "x"):
        of_name = [
            sorted(v for (gate, _), v in infidelities(errors).items() if gate == name) for errors in (now, later)
        ]
        np.testing.assert_allclose(*of_name, rtol=1e-6)


def test_the_noise_of_some_qubits_is_that_part_of_the_whole_model():
    paris = snapshot("fake_paris")
    part, whole = noise_model(paris, QUBITS).to_dict()["errors"], noise_model(paris).to_dict()["errors"]
    expected = [error for error in whole if all(set(place) <= set(QUBITS) for place in error["gate_qubits"])]

    def key(error):
        return error["type"], str(error["operations"]), str(error["gate_qubits"])

    assert [key(error) for error in sorted(part, key=key)] == [key(error) for error in sorted(expected, key=key)]
    for ours, theirs in zip(sorted(part, key=key), sorted(expected, key=key), strict=True):
        np.testing.assert_allclose(np.ravel(ours["probabilities"]), np.ravel(theirs["probabilities"]), rtol=1e-9)


def test_a_calibration_is_known_by_its_checksum():
    names = ("fake_paris", "fake_montreal", "fake_manila")
    assert len({calibration_checksum(snapshot(name)) for name in names}) == len(names)
    paris = snapshot("fake_paris")
    before = calibration_checksum(paris)
    paris.target["cx"][(0, 1)].error *= 1.001
    try:
        assert calibration_checksum(paris) != before
    finally:
        paris.target["cx"][(0, 1)].error /= 1.001


def test_the_averages_of_the_study_are_those_that_the_command_prints(here):
    done = here("-m", "qssl_tf", "noise", "fake_paris", "--qubits", "8")
    assert done.stdout.strip() == PARIS_AVERAGES
