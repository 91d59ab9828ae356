"""SIMULATORS: who runs the quantum head, and which of them `auto` takes."""

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.memory import available

# How many times a row's states are held at once while its gradient is computed, at least: measured on 16 to 20 qubits,
# where it was 5.7 to 8.3 times.
IN_TRAINING = 5
SIMULATORS = ("auto", "tfq", "xla", "pauli")
# What stands in front of everything else and turns each qubit by one angle.
PAULI_ENCODINGS = ("angle", "angle_y")
PAULI_GRADIENTS = ("adjoint", "parameter_shift", "two_term")
PAULI_WIDTH = 12  # 4^12 coefficients of one observable are 67 MB


def choose_simulator(simulator: str, measured: Measurement, width: int, encoding: str) -> str:
    """Return `tfq`, `xla` or `pauli`.

    `auto` takes xla, which was faster in every case of docs/benchmarks.md (only a single row of 2 qubits was not); with
    channels pauli, which has exact numbers, and tfq where pauli cannot.

    A measurement between layers is exact on xla and pauli, and one trajectory a shot on tfq.

    Args:
        simulator: The setting.
        measured: How the circuit is executed.
        width: Number of qubits.
        encoding: Key of ENCODINGS.

    Raises:
        UserError: An unknown name, what pauli cannot do, or what tfq cannot do by trajectories.
    """
    if simulator not in SIMULATORS:
        raise unknown_name("simulator", simulator, SIMULATORS)
    obstacle = why_not_pauli(measured, width, encoding)
    if simulator == "pauli" and obstacle:
        raise UserError(f"`simulator` must be another than pauli: {obstacle}; got 'pauli'.")
    if simulator == "auto":
        simulator = "xla" if not measured.channels else "tfq" if obstacle else "pauli"
    if simulator == "tfq":
        for named, asked in (("noise", measured.channels), ("partial_measurement", measured.partial_measurement)):
            if asked:
                measured.check_trajectories(named, obstacle or "tfq samples noise")
    return simulator


def why_not_pauli(measured: Measurement, width: int, encoding: str) -> str | None:
    """Return why the exact way through noise cannot take a head; None if it can."""
    if encoding not in PAULI_ENCODINGS:
        return f"exact noise needs an encoding that turns each qubit once, angle or angle_y, and this is {encoding}"
    if measured.gradient not in PAULI_GRADIENTS:
        return f"exact noise has the gradients {', '.join(PAULI_GRADIENTS)}, and this is {measured.gradient}"
    if width > PAULI_WIDTH:
        return f"exact noise reaches up to {PAULI_WIDTH} qubits, and these are {width}"
    return None


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
