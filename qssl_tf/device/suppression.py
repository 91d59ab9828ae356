"""What a real device does against errors while it runs, and which circuits it cannot do that for.

Qiskit's client refuses such circuits only when a job is submitted, in words about its own boxes, or not at all; here
the word that was asked for is refused, before anything is submitted.
"""

from collections.abc import Callable, Iterator, Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Clifford

from qssl_tf.commands import argument
from qssl_tf.errors import UserError

# Word -> (group of the Sampler's options, switch).
SUPPRESSIONS = {
    "decoupling": ("dynamical_decoupling", "enable"),  # pulses on idle qubits
    "gate_twirling": ("twirling", "enable_gates"),  # random Pauli gates around those on two qubits
    "readout_twirling": ("twirling", "enable_measure"),  # random flips before the readout, undone after it
    "twirling": ("twirling", "enable_measure"),  # `readout_twirling`, as it was called before there were two
}


def is_twirled(words: Sequence[str]) -> bool:
    """Return whether shots are run in groups of equal random gates."""
    return any(SUPPRESSIONS[word][0] == "twirling" for word in words)


def check_circuits(words: Sequence[str], circuits: Sequence[QuantumCircuit]) -> None:
    """Refuse what a device cannot do for these circuits.

    Args:
        words: Keys of SUPPRESSIONS.
        circuits: In the device's gates.

    Raises:
        UserError: It names the word, the reason and the remedy.
    """
    switches = {SUPPRESSIONS[word][1] for word in words}
    for word in words:
        for circuit in circuits:
            if (why := _REFUSED[SUPPRESSIONS[word][1]](circuit, switches)) is not None:
                raise UserError(f"{argument('suppression')} {word} cannot be done for this circuit: {why}.")


def _against_decoupling(circuit: QuantumCircuit, _: set[str]) -> str | None:
    if circuit.has_control_flow_op():
        return "it has gates that wait for a measurement's outcome, and idle times are then unknown; leave the word out"
    return None


def _against_gate_twirling(circuit: QuantumCircuit, _: set[str]) -> str | None:
    names = sorted({item.operation.name for item in _gates(circuit) if _entangles(item) and not _is_clifford(item)})
    if not names:
        return None
    return (
        f"its {', '.join(names)} gates have arbitrary angles, so Pauli gates do not commute through them; take "
        f"{argument('gates', 'standard')}, or leave the word out"
    )


def _against_readout_twirling(circuit: QuantumCircuit, switches: set[str]) -> str | None:
    if "enable_gates" in switches or not _entangles_after_measuring(circuit):
        return None
    return (
        "a qubit measured between layers meets a gate on two qubits later, and its flip cannot be moved through that; "
        "add gate_twirling, or leave the word out"
    )


_REFUSED: dict[str, Callable[[QuantumCircuit, set[str]], str | None]] = {
    "enable": _against_decoupling,
    "enable_gates": _against_gate_twirling,
    "enable_measure": _against_readout_twirling,
}


def _gates(circuit: QuantumCircuit) -> Iterator[CircuitInstruction]:
    return (item for item in circuit.data if item.operation.name not in ("barrier", "delay"))


def _entangles(item: CircuitInstruction) -> bool:
    return item.operation.name in get_standard_gate_name_mapping() and len(item.qubits) > 1


def _is_clifford(item: CircuitInstruction) -> bool:
    """Return whether a gate turns Pauli gates into Pauli gates, as `cz` does and `rzz` by a free angle does not."""
    try:
        Clifford(item.operation)
    except (QiskitError, TypeError):  # not one, or an angle that is no number
        return False
    return True


def _entangles_after_measuring(circuit: QuantumCircuit) -> bool:
    """Return whether a qubit that was measured takes part in a gate on several qubits later."""
    measured = set()
    for item in _gates(circuit):
        if item.operation.name == "measure":
            measured.update(item.qubits)
        elif _entangles(item) and measured.intersection(item.qubits):
            return True
    return False
