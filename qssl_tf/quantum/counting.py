"""How many circuits a training step asks of a device, or of a simulator in its place."""

from qssl_tf.config import Config
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.quantum.splitting import shift_terms, split


def gradient_circuits(config: Config) -> int:
    """Return the circuits that the gradient for one image takes beside the one of its expectations.

    A shift rule takes 2 for each rotation and 4 for each controlled one, of the encoding and of the trained part;
    `two_term` takes 2 for each, `spsa` 2 in all. `adjoint` is a simulator's own way and takes none.
    """
    if config.gradient == "adjoint":
        return 0
    if config.gradient == "spsa":
        return 2
    spec = circuit_spec(config.width, config.ansatz, config.layers, config.encoding, config.observables)
    gates = split(spec.circuit, spec.inputs + spec.weights)
    return len(shift_terms(gates, exact=config.gradient == "parameter_shift")[0])


def training_circuits(config: Config, steps: int) -> int:
    """Return the circuits of a whole training run: two views of each image of each batch; 0 without a circuit."""
    if config.head != "quantum":
        return 0
    return 2 * config.batch_size * steps * (1 + gradient_circuits(config))
