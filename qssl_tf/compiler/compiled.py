"""A circuit in a device's gates: where its qubits lie, how likely it is to succeed, and with its noise amplified."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import Target

from qssl_tf.compiler.fractional import Fold, with_folds
from qssl_tf.compiler.working_parts import error_of

READ = "meas"  # the register of the last measurement, as `measure_all` calls it


@dataclass(frozen=True)
class Compiled:
    """A circuit in a device's gates.

    Attributes:
        circuit: It ends in measurements of qubit i into bit i of the register READ; its qubits are those of the device.
        success: Estimated probability that no gate and no readout fails, by the calibration; 1 without one.
        seed: The transpiler's.
        initial_layout: Physical qubit on which each qubit of the head begins.
        folds: Fractional gates whose angle depends on the data, which `fractional.with_folds` makes values of.
    """

    circuit: QuantumCircuit
    success: float
    seed: int
    initial_layout: list[int]
    folds: tuple[Fold, ...] = ()

    @property
    def two_qubit_gates(self) -> int:
        """Number of gates on two qubits."""
        return sum(map(_is_two_qubit_gate, self.circuit.data))

    @property
    def depth(self) -> int:
        """Depth, the measurement not counted."""
        return self.circuit.depth(lambda item: item.operation.name not in ("measure", "barrier"))

    @property
    def active(self) -> int:
        """Number of physical qubits that any gate touches."""
        return len({q for item in self.circuit.data if item.operation.name != "barrier" for q in item.qubits})

    @property
    def layout(self) -> list[int]:
        """Physical qubit on which each qubit of the head ends and is read; swaps may have moved it."""
        placed = {item.clbits[0]: item.qubits[0] for item in self.circuit.data if item.operation.name == "measure"}
        last = next(register for register in self.circuit.cregs if register.name == READ)
        return [self.circuit.find_bit(placed[clbit]).index for clbit in last]

    def values(self, names: Sequence[str], rows: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Return the circuit's parameters by name, and their values for some rows, shape (n, parameters).

        Args:
            names: Parameters of the head, in the order of the columns.
            rows: Their values in radians, shape (n, parameters of the head).
        """
        held = {parameter.name for parameter in self.circuit.parameters}
        every, values = with_folds(self.folds, names, rows)
        order = [number for number in np.argsort(every) if every[number] in held]
        return [every[number] for number in order], values[:, order]


def _is_two_qubit_gate(item: CircuitInstruction) -> bool:
    return len(item.qubits) == 2 and item.operation.name != "barrier"


def estimated_success(circuit: QuantumCircuit, target: Target) -> float:
    """Return the product of 1 - error over all gates and readouts by the calibration."""
    logarithm = 0.0
    for item in circuit.data:
        place = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        logarithm += log_success(target, item.operation.name, place)
    return math.exp(logarithm)


def log_success(target: Target, name: str, place: tuple[int, ...]) -> float:
    """Return log(1 - error) of an instruction at a place."""
    return math.log1p(-min(error_of(target, name, place), 0.999))


def folded(circuit: QuantumCircuit, scale: int) -> QuantumCircuit:
    """Return the circuit with each two-qubit gate G replaced by G (G^-1 G)^k, scale = 2k + 1 (arXiv:2005.10921).

    Args:
        circuit: Compiled, ending in measurements.
        scale: Odd, by how much two-qubit noise is multiplied.
    """
    longer = circuit.copy_empty_like()
    for item in circuit.data:
        longer.append(item)
        if _is_two_qubit_gate(item):
            for _ in range((scale - 1) // 2):
                longer.barrier(item.qubits)
                _append_inverse(longer, item)
                longer.barrier(item.qubits)
                longer.append(item.operation, item.qubits)
    return longer


def _append_inverse(to: QuantumCircuit, item: CircuitInstruction) -> None:
    if item.operation.name != "rzz":
        to.append(item.operation.inverse(), item.qubits)
        return
    # Devices take no negative angle: a half turn about X on one of the qubits inverts it. Where RZZ is, RX is too.
    to.rx(math.pi, item.qubits[0])
    to.append(item.operation, item.qubits)
    to.rx(-math.pi, item.qubits[0])
