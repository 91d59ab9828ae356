"""Expectations by Qiskit's density matrices, qubit by qubit."""

import numpy as np
from qiskit.quantum_info import DensityMatrix, Kraus


def expectations(circuit, values, observables):
    """Return the exact expectations of a circuit, in which a measurement leaves a mixture.

    Args:
        circuit: Gates, barriers and measurements.
        values: Name -> value of each parameter.
        observables: The qubits of each product of Z.
    """
    bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
    measured = Kraus([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])
    state = DensityMatrix.from_label("0" * circuit.num_qubits)
    for item in (item for item in bound.data if item.operation.name != "barrier"):
        wires = [bound.find_bit(qubit).index for qubit in item.qubits]
        state = state.evolve(measured if item.operation.name == "measure" else item.operation, wires)
    chances = state.probabilities().reshape([2] * circuit.num_qubits)  # the last qubit is the first axis
    found = []
    for bits in observables:
        others = tuple(axis for axis in range(circuit.num_qubits) if circuit.num_qubits - 1 - axis not in bits)
        parity = np.indices([2] * len(bits)).sum(axis=0) % 2
        found.append(np.sum(chances.sum(axis=others) * (1 - 2 * parity)))
    return np.array(found)
