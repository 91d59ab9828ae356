"""A short test of this installation: does Qiskit compute what Cirq computes for a translated circuit?"""

import numpy as np
from qiskit.quantum_info import Statevector

from qssl_tf.compiler.translate import to_qiskit
from qssl_tf.quantum.spec import circuit_spec

TOLERANCE = 1e-6


def bridge_error(width: int = 3) -> float:
    """Return the largest difference between Cirq's amplitudes and Qiskit's, their bits turned, for a ring circuit."""
    spec = circuit_spec(width, "ring", 2)
    rng = np.random.default_rng(0)
    values = {str(symbol): float(rng.uniform(0, np.pi)) for symbol in (*spec.inputs, *spec.weights)}
    translated, parameters = to_qiskit(spec.circuit, spec.qubits)
    bound = translated.assign_parameters({parameters[name]: value for name, value in values.items()})
    ours = spec.circuit.final_state_vector(param_resolver=values, qubit_order=spec.qubits, dtype=np.complex128)
    turned = Statevector(bound).reverse_qargs().data  # Qiskit's first qubit is the least significant bit
    return float(np.abs(ours - turned).max())
