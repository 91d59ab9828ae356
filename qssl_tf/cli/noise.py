"""`qssl noise`: the noise of a device from its calibration snapshot, as words for `--noise`."""

from qssl_tf.flags import Parser


def parser() -> Parser:
    """Return the command line."""
    made = Parser(description="Read a device's noise from its snapshot, as words for --noise.")
    made.add_argument("name", help="snapshot, such as fake_paris")
    made.add_argument("--qubits", type=int, default=8, help="number of connected qubits to average over (default: 8)")
    return made


def main() -> None:
    """Print the noise of a snapshot."""
    asked = parser().parse_args()

    from qssl_tf.device.calibration import average_noise, connected_qubits, noise_words, snapshot

    backend = snapshot(asked.name)
    print(noise_words(average_noise(backend, connected_qubits(backend, asked.qubits))))
