"""SIMULATORS: the backends of the quantum head, how `auto` chooses one, and their memory limits."""

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.memory import available

# Lower bound on the copies of a row's states held at once while its gradient is computed; measured on 16 to 20 qubits:
# 5.7 to 8.3.
TRAINING_COPIES = 5
SIMULATORS = ("auto", "tfq", "xla")


def choose_simulator(simulator: str, measurement: Measurement) -> str:
    """Return `tfq` or `xla`.

    `auto` is xla, which was faster in every case of docs/benchmarks.md except a single row of 2 qubits, or tfq where
    only tfq will do: for channels other than a measurement between layers.

    A measurement between layers is exact on xla, and one trajectory per shot on tfq.

    Raises:
        UserError: An unknown name, or settings that tfq's trajectories do not support.
    """
    if simulator not in SIMULATORS:
        raise unknown_name("simulator", simulator, SIMULATORS)
    if simulator == "auto":
        simulator = "tfq" if measurement.channels else "xla"
    if simulator == "tfq" and measurement.partial_measurement:
        measurement.check_trajectories("partial_measurement")
    return simulator


def refuse_beyond_memory(width: int, measurement: Measurement) -> None:
    """Refuse circuits whose states do not fit into the available memory even for a single row.

    Raises:
        UserError: With the estimate.
    """
    copies = 2 ** ((width + 1) // 2) if measurement.partial_measurement else 1
    # The state, its gradient and a copy of each during a step, at 8 bytes per amplitude.
    _refuse(width, 4 * 8 * 2**width * copies, "for the states of a single row", "take fewer qubits")


def refuse_states_beyond_memory(width: int, rows: int) -> None:
    """Refuse a number of states that, with a copy of each, does not fit into the available memory.

    Raises:
        UserError: With the estimate.
    """
    _refuse(width, 2 * 8 * rows * 2**width, f"for {rows} states at a time", "take fewer qubits")


def refuse_training_beyond_memory(width: int, states: int) -> None:
    """Refuse to train a circuit if a single row with its gradient does not fit into the available memory.

    Args:
        width: Qubits.
        states: Bytes of a row's states after each step.

    Raises:
        UserError: With the estimate.
    """
    needed_bytes = TRAINING_COPIES * states
    _refuse(width, needed_bytes, "for the states of a single row in training", "take fewer qubits or layers")


def _refuse(width: int, needed_bytes: int, purpose: str, remedy: str) -> None:
    free_bytes = available()
    if needed_bytes > free_bytes:
        raise UserError(
            f"`width` {width} needs about {needed_bytes / 1e9:.4g} GB of memory {purpose}; this machine has "
            f"{free_bytes / 1e9:.4g} GB left; {remedy}."
        )
