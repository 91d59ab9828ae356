import cirq
import pytest

from qssl_tf.errors import UserError
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.spec import circuit_spec, describe


def gates(circuit):
    """Each operation as (name, control and target numbers, symbol)."""
    gate_list = []
    for operation in circuit.all_operations():
        wires = tuple(qubit.col for qubit in operation.qubits)
        gate = operation.without_classical_controls().gate
        name = "C" * (len(wires) - 1) + type(getattr(gate, "sub_gate", gate)).__name__
        symbol = sorted(map(str, cirq.parameter_symbols(operation)))
        gate_list.append((name, wires, symbol[0] if symbol else None))
    return gate_list


@pytest.mark.parametrize("width", [2, 3, 5])
def test_ring_is_ry_and_controlled_rx_around_the_ring(width):
    spec = circuit_spec(width, "ring", layers=2)
    expected = []
    for layer in range(2):
        first = layer * 2 * width
        expected += [("Ry", (i,), f"theta_{first + i:03d}") for i in range(width)]
        expected += [("CRx", (i, (i + 1) % width), f"theta_{first + width + i:03d}") for i in range(width)]
    assert sorted(gates(spec.ansatz)) == sorted(expected)
    for qubit in range(width):  # the order on each wire

        def on_wire(gate_list, qubit=qubit):
            return [gate for gate in gate_list if qubit in gate[1]]

        assert on_wire(gates(spec.ansatz)) == on_wire(expected)


@pytest.mark.parametrize("width", [1, 3, 4])
def test_all_to_all_is_ry_then_every_cx_and_ry(width):
    spec = circuit_spec(width, "all_to_all", layers=3)
    expected = [("Ry", (i,), f"theta_{i:03d}") for i in range(width)]
    for layer in range(1, 4):
        expected += [("CCXPowGate", (i, j), None) for i in range(width) for j in range(i + 1, width)]
        expected += [("Ry", (i,), f"theta_{layer * width + i:03d}") for i in range(width)]
    for qubit in range(width):
        wires = [gate for gate in gates(spec.ansatz) if qubit in gate[1]]
        assert [g[1:] for g in wires] == [gate[1:] for gate in expected if qubit in gate[1]]


def test_the_paper_has_32_weights_in_either_circuit():
    assert len(circuit_spec(8, "ring", 2).weights) == 32
    assert len(circuit_spec(8, "all_to_all", 3).weights) == 32


@pytest.mark.parametrize("name", ANSATZE)
def test_specs_are_ordered_and_complete(name):
    spec = circuit_spec(6, name, 2)
    assert [str(symbol) for symbol in spec.inputs] == [f"x_{i:03d}" for i in range(6)]
    assert sorted(map(str, spec.weights)) == list(map(str, spec.weights))
    assert cirq.parameter_symbols(spec.ansatz) == set(spec.weights)
    assert cirq.parameter_symbols(spec.blocks[0]) == set(spec.inputs)
    assert list(spec.observables) == [cirq.PauliString({qubit: cirq.Z}) for qubit in spec.qubits]


def test_the_encoding_turns_each_qubit_about_x():
    spec = circuit_spec(3, "ring", 1)
    values = dict(zip(spec.inputs, (0.3, 1.2, 2.9), strict=True))
    operations = list(cirq.resolve_parameters(spec.blocks[0], values).all_operations())
    assert operations == [cirq.rx(angle)(qubit) for angle, qubit in zip(values.values(), spec.qubits, strict=True)]


def test_unknown_names_and_widths_are_refused():
    with pytest.raises(
        UserError, match=r"^`ansatz` must be one of ring, all_to_all.*; got 'rign'\. Did you mean 'ring'\?$"
    ):
        circuit_spec(4, "rign")
    with pytest.raises(UserError, match=r"^`width` must be at least 2 for the ansatz 'ring'; got 1\.$"):
        circuit_spec(1, "ring")
    with pytest.raises(UserError, match=r"^`width` must be at least 4 for the ansatz 'sim14'; got 3\.$"):
        circuit_spec(3, "sim14")
    with pytest.raises(UserError, match=r"^`encoding` must be one of angle, .*; got 'angel'\. Did you mean 'angle'\?$"):
        circuit_spec(3, encoding="angel")
    with pytest.raises(
        UserError, match=r"^`width` must be at most 10 for the encoding 'amplitude', which takes 2\^width"
    ):
        circuit_spec(11, encoding="amplitude")


def test_the_description_has_the_counts():
    text = describe(circuit_spec(4, "ring", 1))
    assert "ring on 4 qubits, encoding angle: 8 weights, 4 input features, 4 observables, 12 gates, 4 on two" in text
    assert "Rx(theta_004)" in text and "arXiv:2103.14653" in text
