"""`qssl circuit`: a circuit drawn, counted and measured, such as `qssl circuit ring --width 4`."""

from pathlib import Path
from typing import TYPE_CHECKING

from qssl_tf.cli.flags import Parser
from qssl_tf.config import MAX_QUBITS
from qssl_tf.errors import UserError
from qssl_tf.registry import closed_words

if TYPE_CHECKING:
    from qssl_tf.quantum.spec import CircuitSpec

FIGURES = (".png", ".svg")


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Draw and count a circuit of the library.")
    flags.add_argument("ansatz", help=f"one of {', '.join(closed_words('ansatz'))}, or one of your own with --plugin")
    flags.add_argument("--width", type=int, default=4, help="number of qubits (default: 4)")
    flags.add_argument("--layers", type=int, default=1, help="layers of the ansatz (default: 1)")
    flags.add_argument(
        "--encoding", default="angle", help=f"one of {', '.join(closed_words('encoding'))} (default: angle)"
    )
    flags.add_argument("--observables", default="z", help="z, z_zz or products such as Z0,X1X2 (default: z)")
    flags.add_argument(
        "--measure", action="store_true", help="expressibility, entangling capability and gradient variance as well"
    )
    flags.add_argument("--figure", type=Path, metavar="FILE", help="draw as well, as .png and .svg")
    return flags


def main() -> None:
    """Print a circuit, or draw it into a file."""
    arguments = parser().parse_args()
    for name in ("width", "layers"):
        if not 1 <= getattr(arguments, name) <= MAX_QUBITS:
            raise UserError(f"`{name}` must be at least 1 and at most {MAX_QUBITS}; got {getattr(arguments, name)}.")

    if arguments.figure and arguments.figure.suffix not in FIGURES:
        raise UserError(f"--figure must be a file's name that ends in {' or '.join(FIGURES)}; got {arguments.figure}.")

    from qssl_tf.quantum.spec import circuit_spec, describe

    spec = circuit_spec(arguments.width, arguments.ansatz, arguments.layers, arguments.encoding, arguments.observables)
    print(describe(spec))
    if arguments.measure:
        measure(spec, arguments.ansatz, arguments.width, arguments.layers)
    if arguments.figure:
        from qssl_tf.compiler.translate import to_qiskit
        from qssl_tf.plots.gates import draw_gates

        png, svg = (arguments.figure.with_suffix(suffix) for suffix in FIGURES)
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
