"""The drawing of a head's circuit."""

from pathlib import Path

import numpy as np

from qssl_tf.hardware.bridge import to_qiskit
from qssl_tf.hardware.drawing import draw_gates
from qssl_tf.quantum.spec import CircuitSpec


def draw_circuit(path: Path, spec: CircuitSpec, weights: np.ndarray | None = None) -> None:
    """Draw a circuit by Qiskit's drawer; qubit 0 is the uppermost line.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        spec: The circuit.
        weights: In radians, shape (weights,): their values stand in the gates instead of their names.
    """
    translated, parameters = to_qiskit(spec.circuit, spec.qubits)
    if weights is not None:
        values = {parameters[str(symbol)]: float(weight) for symbol, weight in zip(spec.weights, weights, strict=True)}
        translated = translated.assign_parameters(values)
    draw_gates(path, translated, idle_wires=True)
