"""Every snapshot of Qiskit's runtime package plans, on what its own calibration table calls working."""

import numpy as np
import pytest
from judges.compiled_circuits import calibration, z_values
from qiskit.circuit import QuantumCircuit
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from qssl_tf.compiler import compile as compiling
from qssl_tf.compiler.calibration import average_noise, connected_qubits, noise_words
from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.snapshots import snapshot, snapshot_names
from qssl_tf.compiler.translate import translated
from qssl_tf.compiler.working_parts import check_width, couplers, left_out, usable, working_qubits
from qssl_tf.device.backends import device
from qssl_tf.errors import UserError
from qssl_tf.quantum.noise import read_noise
from qssl_tf.quantum.spec import circuit_spec

ANGLES = np.array([0.3, 1.2, 2.5])
SPEC = circuit_spec(3, "ring", 1)
WEIGHTS = np.linspace(-1, 2, len(SPEC.weights))
NAMES = snapshot_names()


@pytest.fixture(scope="module")
def head():
    return translated(SPEC, WEIGHTS)


@pytest.fixture
def few_places(monkeypatch):
    """One seed and two small regions beside the whole device, which takes a tenth of the time."""
    all_regions = compiling.regions
    monkeypatch.setattr(compiling, "SEEDS", 1)
    monkeypatch.setattr(compiling, "regions", lambda target, width: all_regions(target, width)[:2])


def test_all_snapshots_are_here():
    assert len(NAMES) == len({backend.name for backend in FakeProviderForBackendV2().backends()}) > 60


@pytest.mark.parametrize("name", NAMES)
def test_every_snapshot_plans_on_working_gates(name, head, few_places):
    backend = snapshot(name)
    if backend.num_qubits < 3:
        with pytest.raises(UserError, match=f"`backend` must have at least 3 qubits for this run; {name} has 1."):
            compile_head(head, backend)
        return
    gates, readouts = calibration(backend)
    all_dead = all(error >= 1 for (_, place), error in gates.items() if len(place) == 2)
    judge = z_values(head, ANGLES, range(3))
    candidates = compile_head(head, backend)
    for compiled in candidates:
        success = 1.0
        for item in compiled.circuit.data:
            place = tuple(compiled.circuit.find_bit(qubit).index for qubit in item.qubits)
            if item.operation.name == "measure":
                error = readouts[place[0]]
                assert error < 0.5
            elif item.operation.name != "barrier":
                error = gates.get((item.operation.name, place), 0.0 if item.operation.name in ("rz", "u1") else None)
                assert error < 1 or (all_dead and len(place) == 2)
            success *= 1 - min(error, 0.999) if item.operation.name != "barrier" else 1
        assert compiled.success == pytest.approx(success)
    best = candidates[0]
    np.testing.assert_allclose(z_values(best.circuit, ANGLES, best.layout), judge, atol=1e-6)
    assert all_dead == ("all couplers are dead" in left_out(backend)) == (name == "fake_kyoto")


@pytest.mark.parametrize("name", NAMES)
def test_the_average_noise_of_every_snapshot_is_that_of_working_parts(name):
    backend = snapshot(name)
    gates, readouts = calibration(backend)
    if backend.num_qubits == 1 or all(error >= 1 for (_, place), error in gates.items() if len(place) == 2):
        with pytest.raises(UserError, match="has one qubit, and an average is of two|no coupler that works joins two"):
            average_noise(backend, connected_qubits(backend, 4))
        return
    qubits = connected_qubits(backend, 4)
    found = average_noise(backend, qubits)
    assert read_noise(noise_words(found)) == pytest.approx(found, rel=1e-2)
    assert found["readout"] == pytest.approx(np.mean([readouts[qubit] for qubit in qubits]))
    pairs = {}
    for (gate, place), error in gates.items():  # some calibrate an rzz of bounded angles as well
        if gate in ("cx", "ecr", "cz") and set(place) <= set(qubits) and error < 1:
            pairs.setdefault(frozenset(place), []).append(error)
    assert len(pairs) >= 3  # what connects four qubits
    # Depolarizing is what relaxation leaves of the error of a gate, at most 1.5 / 2.4 of it on each of two qubits.
    assert 0 <= found["depolarizing_2q"] <= 1.5 / 2.4 * np.mean([min(errors) for errors in pairs.values()]) + 1e-12


def test_dead_parts_are_left_out_and_said():
    kingston = snapshot("fake_kingston")
    gates, readouts = calibration(kingston)
    dead = {place[0] for (_, place), error in gates.items() if len(place) == 1 and error >= 1}
    dead |= {qubit for qubit, error in readouts.items() if error >= 0.5}
    target = usable(kingston)
    assert dead and set(range(156)) - set(working_qubits(target)) == dead
    lost = {frozenset(p) for (_, p), error in gates.items() if len(p) == 2 and error >= 1 and not dead & set(p)}
    assert left_out(kingston) == (
        f"fake_kingston: left out as dead by its calibration: {len(dead)} qubit{'s' if len(dead) > 1 else ''}, "
        f"{len(lost)} coupler{'s' if len(lost) > 1 else ''}"
    )
    assert not lost & couplers(target).keys()
    assert left_out(snapshot("fake_paris")) == left_out(device("aer").backend) == ""


def test_too_few_that_work():
    """Dead couplers cut fake_manhattan into parts, of which no calibration table speaks: they are walked here."""
    manhattan = snapshot("fake_manhattan")
    gates, _ = calibration(manhattan)
    edges = [set(place) for (_, place), error in gates.items() if len(place) == 2 and error < 1]
    largest = 0
    for start in range(65):
        part, before = {start}, set()
        while part != before:
            before, part = part, part.union(*(edge for edge in edges if edge & part))
        largest = max(largest, len(part))
    assert 1 < largest < 64
    check_width(manhattan, largest)
    with pytest.raises(UserError) as caught:
        check_width(manhattan, largest + 1)
    assert str(caught.value) == (
        f"`backend` must have at least {largest + 1} connected qubits for this run; by its calibration "
        f"fake_manhattan has {largest} that work."
    )


@pytest.mark.parametrize("name", ["fake_cairo", "fake_almaden"])
def test_snapshots_of_each_kind_run(name, few_places):
    """Mixed couplers, gates of old devices: with their noise a bit flip still reads as one."""
    flip = QuantumCircuit(2)
    flip.x(0)
    chosen = device(name)
    best = compile_head(flip, chosen.backend)[0]
    counts = chosen.sampler(0).run([(best.circuit,)], shots=200).result()[0].data.meas.get_counts()
    assert max(counts, key=counts.get) == "01"  # clbit 0 stands last
