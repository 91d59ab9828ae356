"""Expectations by Cirq's simulators in double precision, from the features on."""

import cirq
import numpy as np

from qssl_tf.quantum.encodings import ENCODINGS


def symbol_values(spec, features, weights):
    """Return one dictionary of symbol values for each row of features."""
    encoded = ENCODINGS[spec.encoding_name].angles(np.asarray(features, float), np, len(spec.qubits))
    return [dict(zip(spec.inputs + spec.weights, map(float, [*row, *weights]), strict=True)) for row in encoded]


def expectations(spec, features, weights, observables=None):
    """Return the exact expectations of a CircuitSpec, shape (n, observables)."""
    order = {qubit: index for index, qubit in enumerate(spec.qubits)}
    simulator, rows = cirq.Simulator(dtype=np.complex128), []
    for values in symbol_values(spec, features, weights):
        state = simulator.simulate(spec.circuit, values, qubit_order=spec.qubits).final_state_vector
        measured = spec.observables if observables is None else observables
        rows.append([product.expectation_from_state_vector(state, order).real for product in measured])
    return np.array(rows)
