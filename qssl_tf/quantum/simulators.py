"""SIMULATORS: who runs the quantum head, and which of them `auto` takes."""

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.memory import available

# How many times a row's states are held at once while its gradient is computed, at least: measured on 16 to 20 qubits,
# where it was 5.7 to 8.3 times.
IN_TRAINING = 5
SIMULATORS = ("auto", "tfq", "xla")


def choose_simulator(simulator: str, measured: Measurement) -> str:
    """Return `tfq` or `xla`.

    `auto` takes xla, which was faster in every case of docs/benchmarks.md (only a single row of 2 qubits was not), and
    tfq for what nothing else can do: channels other than a measurement between layers.

    A measurement between layers is exact on xla, and one trajectory a shot on tfq.

    Raises:
        UserError: An unknown name, or what tfq cannot do by trajectories.
    """
    if simulator not in SIMULATORS:
        raise unknown_name("simulator", simulator, SIMULATORS)
    if simulator == "auto":
        simulator = "tfq" if measured.channels else "xla"
    if simulator == "tfq" and measured.partial_measurement:
        measured.check_trajectories("partial_measurement")
    return simulator


def refuse_beyond_memory(width: int, measured: Measurement) -> None:
    """Refuse circuits of which not even one row fits into the memory that is left.

    Raises:
        UserError: It gives the estimate.
    """
    copies = 2 ** ((width + 1) // 2) if measured.partial_measurement else 1
    # The state, its gradient and a copy of each while a step moves them: 8 bytes an amplitude.
    _refuse(width, 4 * 8 * 2**width * copies, "for the states of a single row", "take fewer qubits")


def refuse_states_beyond_memory(width: int, rows: int) -> None:
    """Refuse so many states at a time where they do not fit into the memory that is left, with a copy of each.

    Raises:
        UserError: It gives the estimate.
    """
    _refuse(width, 2 * 8 * rows * 2**width, f"for {rows} states at a time", "take fewer qubits")


def refuse_training_beyond_memory(width: int, states: int) -> None:
    """Refuse to train a circuit where not even one row fits into the memory that is left, with its gradient.

    Args:
        width: Qubits.
        states: Bytes of a row's states after each step.

    Raises:
        UserError: It gives the estimate.
    """
    needed = IN_TRAINING * states
    _refuse(width, needed, "for the states of a single row in training", "take fewer qubits or layers")


def _refuse(width: int, needed: int, what: str, remedy: str) -> None:
    left = available()
    if needed > left:
        raise UserError(
            f"`width` {width} needs about {needed / 1e9:.4g} GB of memory {what}; this machine has "
            f"{left / 1e9:.4g} GB left; {remedy}."
        )
