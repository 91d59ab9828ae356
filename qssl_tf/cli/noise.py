"""`qssl noise`: the noise of a device from its calibration snapshot, as words for `--noise`."""

from qssl_tf.cli.flags import Parser


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Read a device's noise from its snapshot, as words for --noise.")
    flags.add_argument("name", help="snapshot, such as fake_paris")
    flags.add_argument("--qubits", type=int, help="connected qubits to average over (default: 8, or all of fewer)")
    return flags


def main() -> None:
    """Print the noise of a snapshot."""
    arguments = parser().parse_args()

    from qssl_tf.compiler.calibration import average_noise, connected_qubits, noise_words
    from qssl_tf.compiler.snapshots import snapshot

    backend = snapshot(arguments.name)
    count = min(8, backend.num_qubits) if arguments.qubits is None else arguments.qubits
    print(noise_words(average_noise(backend, connected_qubits(backend, count))))
