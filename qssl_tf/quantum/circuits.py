"""Draw and count a circuit: `python -m qssl_tf.quantum.circuits ring --width 4`."""

import sys
from pathlib import Path

from qssl_tf.config import CHOICES, MAX_QUBITS
from qssl_tf.errors import UserError
from qssl_tf.flags import Parser, run_command


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m qssl_tf.quantum.circuits", description="Draw and count a circuit of the library.")
    made.add_argument("ansatz", help=f"one of {', '.join(CHOICES['ansatz'])}, or one of your own with --plugin")
    made.add_argument("--width", type=int, default=4, help="number of qubits (default: 4)")
    made.add_argument("--layers", type=int, default=1, help="layers of the ansatz (default: 1)")
    made.add_argument("--encoding", default="angle", help=f"one of {', '.join(CHOICES['encoding'])} (default: angle)")
    made.add_argument("--observables", default="z", help="z, z_zz or products such as Z0,X1X2 (default: z)")
    made.add_argument("--figure", type=Path, metavar="FILE", help="draw into an SVG file as well")
    return made


def main() -> None:
    """Print a circuit, or draw it into a file."""
    asked = parser().parse_args()
    for name in ("width", "layers"):
        if not 1 <= getattr(asked, name) <= MAX_QUBITS:
            raise UserError(f"`{name}` must be at least 1 and at most {MAX_QUBITS}; got {getattr(asked, name)}.")

    from qssl_tf.quantum.spec import circuit_spec, describe

    spec = circuit_spec(asked.width, asked.ansatz, asked.layers, asked.encoding, asked.observables)
    print(describe(spec))
    if asked.figure:
        from cirq.contrib.svg import circuit_to_svg

        from qssl_tf.files import write_text

        write_text(asked.figure, circuit_to_svg(spec.circuit))


if __name__ == "__main__":
    sys.exit(run_command(main))
