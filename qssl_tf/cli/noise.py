"""`qssl noise`: the noise of a device from its calibration snapshot, as words for `--noise`."""

from qssl_tf.cli.flags import Parser


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Read a device's noise from its snapshot, as words for --noise.")
    flags.add_argument("name", help="snapshot, such as fake_paris")
    flags.add_argument("--qubits", type=int, default=8, help="number of connected qubits to average over (default: 8)")
    return flags


def main() -> None:
    """Print the noise of a snapshot."""
    arguments = parser().parse_args()

    from qssl_tf.compiler.calibration import average_noise, connected_qubits, noise_words
    from qssl_tf.compiler.snapshots import snapshot

    backend = snapshot(arguments.name)
    print(noise_words(average_noise(backend, connected_qubits(backend, arguments.qubits))))
