import math

import numpy as np
import pytest
from qiskit_ibm_runtime.fake_provider import FakeParisV2

from qssl_tf.compiler.calibration import average_noise, connected_qubits, noise_words
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.errors import UserError
from qssl_tf.quantum.noise import read_noise


@pytest.fixture(scope="module")
def paris():
    return FakeParisV2()


def test_averages_are_those_of_the_calibration(paris):
    qubits = [0, 1, 4]
    found = average_noise(paris, qubits)
    readout = np.mean([paris.target["measure"][(q,)].error for q in qubits])
    t1 = [paris.qubit_properties(q).t1 for q in qubits]
    duration = np.mean([paris.target["sx"][(q,)].duration for q in qubits])
    assert found["readout"] == pytest.approx(readout)
    assert found["amplitude_damping"] == pytest.approx(1 - math.exp(-duration * np.mean([1 / t for t in t1])))


def test_two_qubit_gates_keep_their_calibrated_error(paris):
    """The three channels on both qubits of a CX have together its calibrated average infidelity."""
    import cirq

    qubits = connected_qubits(paris, 8)
    found = average_noise(paris, qubits)
    pairs = [pair for pair in paris.target["cx"] if set(pair) <= set(qubits)]
    error = np.mean([paris.target["cx"][pair].error for pair in pairs])
    kraus = [np.eye(2)]
    for gate, name in ((cirq.depolarize, "depolarizing_2q"), (cirq.amplitude_damp, "amplitude_damping_2q"),
                       (cirq.phase_damp, "phase_damping_2q")):  # fmt: skip
        kraus = [k @ before for k in cirq.kraus(gate(found[name])) for before in kraus]
    # Average fidelity of a channel on dimension 4 from the traces of its Kraus operators.
    traces = np.array([abs(np.trace(k)) ** 2 for k in kraus])
    fidelity = (np.sum(np.outer(traces, traces)) + 4) / (4 * 5)
    assert 1 - fidelity == pytest.approx(error, rel=0.03)


def test_the_words_are_read_back(paris):
    strengths = average_noise(paris, connected_qubits(paris, 8))
    again = read_noise(noise_words(strengths))
    assert again == pytest.approx(strengths, rel=1e-2)


def test_neighbours_are_connected(paris):
    qubits = connected_qubits(paris, 8)
    edges = [set(pair) for pair in paris.coupling_map.get_edges()]
    reached = {qubits[0]}
    for _ in qubits:
        reached |= {q for edge in edges if edge & reached for q in edge if q in qubits}
    assert len(qubits) == 8 and reached == set(qubits)


def test_bad_requests(paris):
    with pytest.raises(
        UserError, match=r"`snapshot` must be one of .*; got 'fake_pariss'\. Did you mean 'fake_paris'\?$"
    ):
        snapshot("fake_pariss")
    with pytest.raises(UserError, match=r"^`qubits` must be from 2 to 27 on fake_paris; got 28\.$"):
        connected_qubits(paris, 28)
    with pytest.raises(UserError, match="no coupler that works joins two of the qubits"):
        average_noise(paris, [0, 20])


def test_nothing_here_loads_tensorflow(script):
    done = script("-c", "import sys, qssl_tf.compiler.calibration, qssl_tf.compiler.snapshots as s;"
                  "s.snapshot('fake_paris'); print('tensorflow' in sys.modules)")  # fmt: skip
    assert done.stdout == "False\n", done.stderr
    done = script("-m", "qssl_tf", "noise", "fake_paris")
    assert done.returncode == 0 and done.stdout.startswith("readout=0.0"), done.stderr
