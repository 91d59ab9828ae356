"""Compiled circuits against Cirq's unitaries, and fractional gates against the bounds of the device's target."""

import re

import cirq
import numpy as np
import pytest
from judges.cirq_values import symbol_values
from judges.compiled_circuits import z_values
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from qiskit.transpiler import generate_preset_pass_manager

from qssl_tf.compiler.compile import SEEDS, compile_head
from qssl_tf.compiler.compiled import estimated_success, folded
from qssl_tf.compiler.fractional import (
    WithFractionalGates,
    _folded,
    check_bounds,
    check_gates,
    has_fractional_gates,
)
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import translated
from qssl_tf.compiler.working_parts import usable
from qssl_tf.device.backends import device
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import circuit_spec


def nighthawk():
    return WithFractionalGates(snapshot("fake_nighthawk"))


# Basis -> a device that has it.
BASES = {
    "cx": lambda: snapshot("fake_paris"),
    "u3 and cx": lambda: snapshot("fake_rochester"),
    "ecr": lambda: snapshot("fake_sherbrooke"),
    "cz": lambda: snapshot("fake_torino"),
    "rzz": nighthawk,
    "rzz and cx": lambda: snapshot("fake_fractional"),
}


def unitary(compiled, values):
    """The unitary of a compiled circuit from where its qubits begin to where they are read; all others stay in |0>."""
    names, rows = compiled.values(list(values), np.array([list(values.values())]))
    bound = compiled.circuit.assign_parameters(dict(zip(names, rows[0], strict=True)))
    width = len(compiled.layout)
    used = sorted({bound.find_bit(q).index for item in bound.data for q in item.qubits})
    before = compiled.initial_layout + [qubit for qubit in used if qubit not in compiled.initial_layout]
    after = compiled.layout + [qubit for qubit in used if qubit not in compiled.layout]
    small = QuantumCircuit(len(used))
    for item in bound.data:
        if item.operation.name not in ("measure", "barrier"):
            small.append(item.operation, [before.index(bound.find_bit(q).index) for q in item.qubits])
    full = Operator(small).data.reshape([2] * 2 * len(used))
    # Axes are most significant first: wire w of the rows is axis len(used) - 1 - w.
    places = [len(used) - 1 - before.index(qubit) for qubit in after][::-1]
    full = full.transpose(places + list(range(len(used), 2 * len(used)))).reshape(2 ** len(used), -1)
    return full[: 2**width, : 2**width]


HEADS = [
    (3, "ring", "angle"), (4, "ring", "zz"), (5, "strongly_entangling", "angle"), (6, "ring", "reuploading"),
]  # fmt: skip


@pytest.mark.parametrize(("basis", "head"), [
    (basis, head) for basis in BASES for head in HEADS if basis != "rzz and cx" or head[0] <= 5  # all that it has
], ids=lambda part: part if isinstance(part, str) else "-".join(map(str, part)))  # fmt: skip
def test_compiled_circuits_have_the_unitary_of_cirq(basis, head):
    backend, (width, ansatz, encoding) = BASES[basis](), head
    spec = circuit_spec(width, ansatz, 2, encoding)
    rng = np.random.default_rng(width)
    weights, features = rng.uniform(-7, 7, len(spec.weights)), rng.uniform(0, np.pi, (1, spec.input_size))
    (values,) = symbol_values(spec, features, weights)
    judge = cirq.resolve_parameters(spec.circuit, values).unitary(qubit_order=spec.qubits[::-1])
    inputs = {str(symbol): float(values[symbol]) for symbol in spec.inputs}
    candidates = compile_head(translated(spec, weights), backend, gates="best")
    gates = set().union(*(candidate.circuit.count_ops() for candidate in candidates))
    assert set(re.findall(r"cx|cz|ecr|rzz", basis)) <= gates
    for compiled in candidates[:: max(1, len(candidates) // 12)]:
        found = unitary(compiled, inputs)
        overlap = np.trace(judge.conj().T @ found) / 2**width
        np.testing.assert_allclose(abs(overlap), 1, atol=1e-7)
        np.testing.assert_allclose(found, judge * overlap, atol=1e-6)


@pytest.mark.parametrize("encoding", ["angle", "zz", "reuploading"])
def test_every_angle_of_every_row_is_within_the_bounds(encoding):
    """Qiskit's own check of an instruction is the judge."""
    backend, spec = nighthawk(), circuit_spec(4, "ring", 2, encoding)
    rng = np.random.default_rng(0)
    circuit = translated(spec, rng.uniform(-9, 9, len(spec.weights)))
    features = rng.uniform(0, np.pi, (5, spec.input_size))
    rows = spec.encoding.angles(features, np, 4)
    seen = 0
    for compiled in compile_head(circuit, backend, gates="best")[:10]:
        names, values = compiled.values([str(symbol) for symbol in spec.inputs], rows)
        for row in values:
            for item in compiled.circuit.assign_parameters(dict(zip(names, row, strict=True))).data:
                place = tuple(compiled.circuit.find_bit(qubit).index for qubit in item.qubits)
                if item.operation.name != "barrier":
                    angles = [float(angle) for angle in item.operation.params]
                    assert backend.target.instruction_supported(item.operation.name, place)
                    bounded = backend.target.gate_has_angle_bounds(item.operation.name)
                    assert not bounded or backend.target.supported_angle_bound(item.operation.name, angles)
                    seen += bounded
        check_bounds(compiled.circuit, backend.target, names, values, backend.name)
    assert seen


@pytest.mark.parametrize("angle", [0, np.pi / 2, np.pi, 1.5 * np.pi, 2 * np.pi, *np.linspace(-15, 15, 41)])
def test_a_folded_angle_is_the_angle(angle):
    z, x, zz = (float(part[0]) for part in _folded(np.array([angle])))
    assert 0 <= zz <= np.pi / 2
    whole, parts = QuantumCircuit(2), QuantumCircuit(2)
    whole.rzz(angle, 0, 1)
    parts.rz(z, 0)
    parts.rz(z, 1)
    parts.rx(x, 0)
    parts.rzz(zz, 0, 1)
    parts.rx(-x, 0)
    assert Operator(parts).equiv(Operator(whole))


def test_an_angle_out_of_bounds_is_refused():
    backend, circuit = snapshot("fake_fractional"), QuantumCircuit(5)
    circuit.rzz(2.0, 0, 1)
    with pytest.raises(UserError) as error:
        check_bounds(circuit, backend.target, [], np.zeros((1, 0)), "fake_fractional")
    assert str(error.value) == (
        "`backend` fake_fractional takes no rzz of 2.0000 radians, which the circuit has on qubits [0, 1]; start a new "
        "device run."
    )
    check_bounds(circuit, snapshot("fake_manila").target, [], np.zeros((1, 0)), "fake_manila")  # it knows no bounds


def test_amplified_noise_stays_within_the_bounds():
    spec = circuit_spec(3, "ring", 1)
    circuit = translated(spec, np.array([1.0, 4.0, -2.0] * (len(spec.weights) // 3)))
    compiled = next(c for c in compile_head(circuit, nighthawk(), gates="fractional") if "rzz" in c.circuit.count_ops())
    tripled = folded(compiled.circuit, 3)
    assert tripled.count_ops()["rzz"] == 3 * compiled.circuit.count_ops()["rzz"]
    angles = [0.3, 1.2, 2.5]
    np.testing.assert_allclose(
        z_values(tripled, angles, compiled.layout), z_values(compiled.circuit, angles, compiled.layout), atol=1e-6
    )
    check_bounds(tripled, nighthawk().target, ["x_0", "x_1", "x_2"], np.array([angles]), "fake_nighthawk")


@pytest.mark.parametrize(("gates", "most"), [("standard", 32), ("best", 16), ("fractional", 16)])
def test_a_ring_goes_round_a_square_lattice_without_swaps(gates, most):
    """16 controlled RX: two CZ each, or one RZZ."""
    spec = circuit_spec(8, "ring", 2)
    circuit = translated(spec, np.random.default_rng(0).normal(0, 1, len(spec.weights)))
    best = compile_head(circuit, nighthawk(), gates=gates)[0]
    assert best.two_qubit_gates <= most and best.active == 8


@pytest.mark.parametrize("name", ["fake_marrakesh", "fake_sherbrooke", "fake_paris"])
def test_a_ring_on_heavy_hexagons_is_no_worse_than_the_best_seed_of_level_3(name):
    spec, backend = circuit_spec(8, "ring", 2), snapshot(name)
    circuit = translated(spec, np.random.default_rng(0).normal(0, 1, len(spec.weights)))
    candidates = compile_head(circuit, backend)
    circuit.measure_all()
    target = usable(backend)
    plain = [
        generate_preset_pass_manager(optimization_level=3, target=target, seed_transpiler=seed).run(circuit)
        for seed in range(25)
    ]
    fewest = min(sum(len(item.qubits) == 2 for item in one.data if item.operation.name != "barrier") for one in plain)
    assert min(compiled.two_qubit_gates for compiled in candidates) <= fewest
    assert candidates[0].success >= max(estimated_success(one, target) for one in plain[:SEEDS])  # they are among them


def test_a_time_to_compile_ends_it_and_says_so():
    spec, lines = circuit_spec(8, "ring", 2), []
    circuit = translated(spec, np.zeros(len(spec.weights)))
    assert compile_head(circuit, snapshot("fake_marrakesh"), seconds=1e-6, report=lines.append)
    (line,) = lines
    assert re.fullmatch(r"tried 1 of \d+ ways to compile in 1e-06 s; taking the best", line)


def test_fractional_gates_are_taken_where_they_are(monkeypatch):
    assert has_fractional_gates(snapshot("fake_fractional").target)
    assert not has_fractional_gates(snapshot("fake_nighthawk").target)
    assert has_fractional_gates(device("fake_nighthawk", "fractional").backend.target)
    assert device("fake_nighthawk").backend is not device("fake_nighthawk", "fractional").backend
    monkeypatch.setattr("qssl_tf.device.service.real_backend", lambda name, fractional: snapshot("fake_manila"))
    with pytest.raises(UserError) as error:
        device("ibm_x", "fractional")
    assert str(error.value) == (
        "`gates='fractional'` needs a device with RX and RZZ, or the snapshot of one with CZ, whose generation has "
        "them; fake_manila has neither; take `gates='standard'`."
    )


def test_a_circuit_with_fractional_gates_is_not_simulated_where_they_have_no_noise():
    circuit = QuantumCircuit(5)
    circuit.rzz(1.0, 0, 1)
    check_gates(circuit, snapshot("fake_fractional"), "fake_fractional")
    check_gates(circuit, device("aer").backend, "aer")
    with pytest.raises(UserError) as error:
        check_gates(circuit, snapshot("fake_manila"), "fake_manila")
    assert str(error.value) == "`backend` fake_manila has no rzz, which the circuit has; start a new device run."


def test_a_region_that_cannot_make_a_circuit_leaves_the_others():
    """fake_cairo joins some qubits by CX and some by ECR, each in one direction; level 3 fails on some of them."""
    spec = circuit_spec(4, "sim15", 1)
    circuit = translated(spec, np.random.default_rng(0).normal(0, 1, len(spec.weights)))
    best = compile_head(circuit, snapshot("fake_cairo"))[0]
    angles = [0.3, 1.2, 2.5, 0.7]
    np.testing.assert_allclose(
        z_values(best.circuit, angles, best.layout), z_values(circuit, angles, range(4)), atol=1e-6
    )
