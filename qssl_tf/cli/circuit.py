"""`qssl circuit`: a circuit drawn, counted and measured, such as `qssl circuit ring --width 4`."""

from pathlib import Path
from typing import TYPE_CHECKING

from qssl_tf.config import CHOICES, MAX_QUBITS
from qssl_tf.errors import UserError
from qssl_tf.flags import Parser

if TYPE_CHECKING:
    from qssl_tf.quantum.spec import CircuitSpec

FIGURES = (".png", ".svg")


def parser() -> Parser:
    """Return the command line."""
    made = Parser(description="Draw and count a circuit of the library.")
    made.add_argument("ansatz", help=f"one of {', '.join(CHOICES['ansatz'])}, or one of your own with --plugin")
    made.add_argument("--width", type=int, default=4, help="number of qubits (default: 4)")
    made.add_argument("--layers", type=int, default=1, help="layers of the ansatz (default: 1)")
    made.add_argument("--encoding", default="angle", help=f"one of {', '.join(CHOICES['encoding'])} (default: angle)")
    made.add_argument("--observables", default="z", help="z, z_zz or products such as Z0,X1X2 (default: z)")
    made.add_argument(
        "--measure", action="store_true", help="expressibility, entangling capability and gradient variance as well"
    )
    made.add_argument("--figure", type=Path, metavar="FILE", help="draw as well, as .png and .svg")
    return made


def main() -> None:
    """Print a circuit, or draw it into a file."""
    asked = parser().parse_args()
    for name in ("width", "layers"):
        if not 1 <= getattr(asked, name) <= MAX_QUBITS:
            raise UserError(f"`{name}` must be at least 1 and at most {MAX_QUBITS}; got {getattr(asked, name)}.")

    if asked.figure and asked.figure.suffix not in FIGURES:
        raise UserError(f"--figure must be a file's name that ends in {' or '.join(FIGURES)}; got {asked.figure}.")

    from qssl_tf.quantum.spec import circuit_spec, describe

    spec = circuit_spec(asked.width, asked.ansatz, asked.layers, asked.encoding, asked.observables)
    print(describe(spec))
    if asked.measure:
        measure(spec, asked.ansatz, asked.width, asked.layers)
    if asked.figure:
        from qssl_tf.device.translate import to_qiskit
        from qssl_tf.plots.gates import draw_gates

        png, svg = (asked.figure.with_suffix(suffix) for suffix in FIGURES)
        draw_gates(png, to_qiskit(spec.circuit, spec.qubits)[0], idle_wires=True)
        print(f"figures: {png}, {svg}")


def measure(spec: "CircuitSpec", ansatz: str, width: int, layers: int) -> None:
    """Print what a circuit is like in Hilbert space."""
    from qssl_tf.quantum.hilbert_space import entangling_capability, expressibility, gradient_variance

    print(
        f"expressibility (divergence from Haar, nats; smaller covers more): {expressibility(spec):.4f}\n"
        f"entangling capability (Meyer-Wallach, 0 to 1): {entangling_capability(spec):.3f}\n"
        f"variance of d<Z_0>/d(first weight): {gradient_variance(width, ansatz, layers):.4f}"
    )
