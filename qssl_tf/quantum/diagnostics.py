"""Measure a circuit: `python -m qssl_tf.quantum.diagnostics ring --width 4`.

It prints expressibility, entangling capability and gradient variance.
"""

import sys

from qssl_tf.config import MAX_QUBITS
from qssl_tf.errors import UserError
from qssl_tf.flags import Parser, run_command


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m qssl_tf.quantum.diagnostics", description="Measure a circuit of the library.")
    made.add_argument("ansatz", help="name of the ansatz, such as ring, or one of your own with --plugin")
    made.add_argument("--width", type=int, default=4, help="number of qubits (default: 4)")
    made.add_argument("--layers", type=int, default=1, help="layers of the ansatz (default: 1)")
    return made


def main() -> None:
    """Print a circuit's diagnostics."""
    asked = parser().parse_args()
    for name in ("width", "layers"):
        if not 1 <= getattr(asked, name) <= MAX_QUBITS:
            raise UserError(f"`{name}` must be at least 1 and at most {MAX_QUBITS}; got {getattr(asked, name)}.")

    from qssl_tf.quantum.hilbert_space import entangling_capability, expressibility, gradient_variance
    from qssl_tf.quantum.spec import circuit_spec

    spec = circuit_spec(asked.width, asked.ansatz, asked.layers)
    print(
        f"{asked.ansatz}, {asked.width} qubits, {asked.layers} layers, {len(spec.weights)} weights\n"
        f"expressibility (divergence from Haar, nats; smaller covers more): {expressibility(spec):.4f}\n"
        f"entangling capability (Meyer-Wallach, 0 to 1): {entangling_capability(spec):.3f}\n"
        f"variance of d<Z_0>/d(first weight): {gradient_variance(asked.width, asked.ansatz, asked.layers):.4f}"
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
