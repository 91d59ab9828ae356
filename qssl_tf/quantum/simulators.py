"""SIMULATORS: the backends of the quantum head, how `auto` chooses one, and their memory limits."""

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.memory import available
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.tfq_availability import or_trajectories, refuse_absent, why_absent

# Lower bound on the copies of a row's states held at once while its gradient is computed; measured on 16 to 20 qubits:
# 5.7 to 8.3.
TRAINING_COPIES = 5
SIMULATORS = ("auto", "tfq", "xla", "pauli")
PAULI_ENCODINGS = ("angle", "angle_y")  # those that turn each qubit once, in front of everything else
PAULI_GRADIENTS = ("adjoint", "parameter_shift", "two_term")
DEVICE_GRADIENTS = ("adjoint", "parameter_shift")  # gates of a device are shifted, not those of the ansatz
PAULI_WIDTH = 12  # 4^12 coefficients of one observable are 67 MB


def choose_simulator(simulator: str, measurement: Measurement, width: int, encoding: str) -> str:
    """Return `tfq`, `xla` or `pauli`.

    `auto` is xla, which was faster in every case of docs/benchmarks.md except a single row of 2 qubits. With noise
    channels it is pauli, which is exact, or tfq where pauli does not support the settings and tfq can be used.

    A measurement between layers is exact on xla and pauli, and one trajectory per shot on tfq.

    Args:
        simulator: The setting.
        measurement: How the circuit is executed.
        width: Number of qubits.
        encoding: Key of ENCODINGS.

    Raises:
        UserError: An unknown name, settings that pauli, or tfq's trajectories, do not support, or that need tfq where
            it cannot be used.
    """
    if simulator not in SIMULATORS:
        raise unknown_name("simulator", simulator, SIMULATORS)
    if simulator == "tfq":
        refuse_absent(simulator, why_absent())
    obstacle = why_not_pauli(measurement, width, encoding)
    if measurement.device:
        _check_device(simulator, measurement, encoding, obstacle)
        return "pauli"
    if simulator == "pauli" and obstacle:
        raise UserError(f"`simulator` must be another than pauli: {obstacle}; got 'pauli'.")
    if simulator == "auto":
        simulator = "xla" if not measurement.channels else "tfq" if obstacle else "pauli"
    if simulator == "tfq":
        if obstacle and why_absent():
            raise UserError(
                f"`noise` must be none on this machine, or such that no trajectories are needed: {obstacle}; got "
                f"{measurement.noise!r}. Trajectories are TensorFlow Quantum's. {why_absent()}."
            )
        settings = {"noise": measurement.channels, "partial_measurement": measurement.partial_measurement}
        for setting in [name for name, is_set in settings.items() if is_set]:
            measurement.check_trajectories(setting, obstacle or "tfq samples noise")
    return simulator


def _check_device(simulator: str, measurement: Measurement, encoding: str, obstacle: str | None) -> None:
    """Refuse what does not work with the noise of a device, which is exact or not at all.

    Raises:
        UserError: With what works.
    """
    name = measurement.device
    if encoding not in PAULI_ENCODINGS:
        also = (
            f"; two ways remain: one of these encodings, or the device's noise as channels (`qssl noise {name}` prints "
            "them) with `shots` and a `gradient` other than adjoint"
        )
        raise UserError(
            f"`encoding` must be {' or '.join(PAULI_ENCODINGS)} with the noise of a device, which needs each qubit "
            f"turned once by the data, in front; got '{encoding}'{'' if why_absent() else also}."
        )
    if measurement.gradient not in DEVICE_GRADIENTS:
        raise UserError(
            f"`gradient` must be {' or '.join(DEVICE_GRADIENTS)} with the noise of a device; "
            f"got '{measurement.gradient}'."
        )
    if obstacle:
        raise UserError(
            f"`noise` must be channels or none here: {obstacle}; got '{name}'; {or_trajectories('take fewer qubits')}."
        )
    if simulator not in ("auto", "pauli"):
        raise UserError(f"`simulator` must be auto or pauli with the noise of a device; got '{simulator}'.")


def why_not_pauli(measurement: Measurement, width: int, encoding: str) -> str | None:
    """Return why exact noise does not support a head, or None if it does."""
    if encoding not in PAULI_ENCODINGS:
        return f"exact noise needs an encoding that turns each qubit once, angle or angle_y, and this is {encoding}"
    if measurement.gradient not in PAULI_GRADIENTS:
        return f"exact noise has the gradients {', '.join(PAULI_GRADIENTS)}, and this is {measurement.gradient}"
    if width > PAULI_WIDTH:
        return f"exact noise reaches up to {PAULI_WIDTH} qubits, and these are {width}"
    return None


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


def refuse_overlaps_beyond_memory(width: int, rows: int, needed_bytes: int) -> None:
    """Refuse to compare more states with each other than fit into the available memory.

    Args:
        width: Qubits.
        rows: States.
        needed_bytes: Of the states and their overlaps, from `overlaps.bytes_of_overlaps`.

    Raises:
        UserError: With the estimate.
    """
    _refuse(width, needed_bytes, f"for the overlaps of {rows} states", "take fewer qubits or a smaller batch")


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
