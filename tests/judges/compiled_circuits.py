"""What a compiled circuit computes, by Qiskit's state vectors, and what a device's calibration says of its parts."""

from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector


def z_values(circuit, values, qubits):
    """<Z> of physical qubits, the idle ones left out of the simulation; values by the parameters' names."""
    bound = circuit.assign_parameters(dict(zip(sorted(circuit.parameters, key=lambda p: p.name), values, strict=True)))
    used = sorted({bound.find_bit(q).index for item in bound.data for q in item.qubits})
    small = QuantumCircuit(len(used))
    for item in bound.data:
        if item.operation.name not in ("measure", "barrier"):
            small.append(item.operation, [used.index(bound.find_bit(q).index) for q in item.qubits])
    state = Statevector(small)
    return [1 - 2 * state.probabilities([used.index(qubit)])[1] for qubit in qubits]


def calibration(backend):
    """Errors of gates by (name, qubits), and of readouts by qubit, from IBM's own table and not Qiskit's target."""
    table = backend.properties().to_dict()
    gates = {
        (gate["gate"], tuple(gate["qubits"])): parameter["value"]
        for gate in table["gates"]
        for parameter in gate["parameters"]
        if parameter["name"] == "gate_error"
    }
    readouts = {
        qubit: parameter["value"]
        for qubit, parameters in enumerate(table["qubits"])
        for parameter in parameters
        if parameter["name"] == "readout_error"
    }
    return gates, readouts
