"""The drawing of a head's circuit."""

from pathlib import Path

from qssl_tf.arguments import checks_arguments
from qssl_tf.compiler.translate import to_qiskit
from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.plots.gates import draw_gates


@checks_arguments
def draw_circuit(path: str | Path, head: QuantumHead, values: bool = True) -> Path:
    """Draw a head's circuit by Qiskit's drawer; qubit 0 is the uppermost line.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        head: The layer, as it is or after training.
        values: Whether the weights' values in radians stand in the gates, or their names.

    Returns:
        The PNG file's path.

    Raises:
        UserError: The file's name does not end in .png.
    """
    if Path(path).suffix != ".png":
        raise UserError(f"`path` must end in .png; got {str(path)!r}.")
    spec = head.spec
    translated, parameters = to_qiskit(spec.circuit, spec.qubits)
    if values:
        weights = zip(spec.weights, head.parameters.numpy(), strict=True)
        translated = translated.assign_parameters({parameters[str(name)]: float(weight) for name, weight in weights})
    draw_gates(Path(path), translated, idle_wires=True)
    return Path(path)
