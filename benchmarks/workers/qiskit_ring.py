"""Qiskit Machine Learning: the ring as an EstimatorQNN with its exact gradient."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from serve import problem, serve

given = problem()
width, count = given["angles"].shape[1], len(given["weights"])
inputs, weights = ParameterVector("x", width), ParameterVector("t", count)
circuit = QuantumCircuit(width)
for i in range(width):
    circuit.rx(inputs[i], i)
for first in range(0, count, 2 * width):
    for i in range(width):
        circuit.ry(weights[first + i], i)
    for i in range(width):
        circuit.crx(weights[first + width + i], i, (i + 1) % width)
observables = [SparsePauliOp.from_sparse_list([("Z", [i], 1.0)], num_qubits=width) for i in range(width)]
network = EstimatorQNN(
    circuit=circuit,
    observables=observables,
    input_params=list(inputs),
    weight_params=list(weights),
    input_gradients=True,
    estimator=StatevectorEstimator(),
    default_precision=0.0,  # exact, where its default adds noise
)


def call():
    """Run one forward and backward pass."""
    values = network.forward(given["angles"], given["weights"])
    by_angles, by_weights = network.backward(given["angles"], given["weights"])
    upstream = given["upstream"]
    return {
        "values": values,
        "by_angles": np.einsum("no,noi->ni", upstream, by_angles),
        "by_weights": np.einsum("no,now->w", upstream, by_weights),
    }


serve(call)
