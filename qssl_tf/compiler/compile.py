"""Compiles a head for a device once, its inputs still symbolic, and ranks layouts by their estimated success."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import PassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import CollectLinearFunctions, HighLevelSynthesis

from qssl_tf.compiler.regions import Shape, regions, shapes
from qssl_tf.compiler.working_parts import (
    check_width,
    connected,
    couplers,
    error_of,
    is_laid_out,
    part,
    usable,
    working_qubits,
)
from qssl_tf.errors import UserError

READ = "meas"  # the register of the last measurement, as `measure_all` calls it
SEEDS = 4  # for each shape; level 3 differs a lot from seed to seed
COPIES = 3  # of each compiled circuit, on the qubits where it is likeliest to succeed


@dataclass(frozen=True)
class Compiled:
    """A circuit in a device's gates.

    Attributes:
        circuit: It ends in measurements of qubit i into bit i of the register READ; its qubits are those of the device.
        success: Estimated probability that no gate and no readout fails, by the calibration; 1 without one.
        seed: The transpiler's.
        initial_layout: Physical qubit on which each qubit of the head begins.
    """

    circuit: QuantumCircuit
    success: float
    seed: int
    initial_layout: list[int]

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


def _is_two_qubit_gate(item: CircuitInstruction) -> bool:
    return len(item.qubits) == 2 and item.operation.name != "barrier"


def compile_head(circuit: QuantumCircuit, backend: Any, seed: int = 0) -> list[Compiled]:
    """Return the circuit in the backend's gates, by several forms, regions and seeds, the most promising first.

    The circuit is compiled as it is, and with its CX made anew as linear functions: 28 CX between 8 qubits are then a
    chain of 7, which the preset levels do not find, while few CX between rotations can become more. Beside the whole
    device, regions of just enough qubits are tried: routed freely, a ring of 8 wanders over 12 qubits of a
    heavy-hexagon lattice, with more errors and a 256 times larger density matrix. It is compiled once for each shape of
    a region, and laid wherever on the device that shape has the least error. Dead qubits and gates are not used.

    Args:
        circuit: Without a measurement at its end; free parameters stay.
        backend: A Qiskit backend.
        seed: The first of the transpiler's seeds.

    Raises:
        UserError: The backend has too few qubits, or its gates cannot make the circuit.
    """
    check_width(backend, circuit.num_qubits)
    target = usable(backend) if is_laid_out(backend) else backend.target
    places = _places(target, circuit.num_qubits) if is_laid_out(backend) else []
    candidates: list[Compiled] = []
    try:
        for form in _forms(circuit):
            for number in range(seed, seed + SEEDS):
                if not places:
                    candidates.append(_anywhere(form, target, number))
                for shape in places:
                    candidates += _on_copies(form, target, shape, number)
    except TranspilerError as error:
        raise UserError(f"{backend.name} cannot run this circuit: {error.message}") from None
    return sorted(candidates, key=lambda compiled: (-compiled.success, compiled.two_qubit_gates))


def _forms(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """Return the circuit, measured, and the one with its CX made anew, unless that is the same."""
    anew = PassManager([CollectLinearFunctions(), HighLevelSynthesis()]).run(circuit)
    forms = [circuit.copy()] if anew == circuit else [circuit.copy(), anew]
    for form in forms:
        form.measure_all()
    return forms


def _places(target: Target, width: int) -> list[Shape]:
    """Return where on a device a circuit is tried: its connected parts as wholes, then small regions by their shape."""
    wholes = [group for group in connected(couplers(target), working_qubits(target)) if len(group) >= width]
    small = [region for region in regions(target, width) if region not in wholes]
    return [*(Shape(whole, [whole]) for whole in wholes), *shapes(target, small)]


def _anywhere(circuit: QuantumCircuit, target: Target, seed: int) -> Compiled:
    """Return a circuit in the gates of a target whose qubits have no places."""
    in_gates = generate_preset_pass_manager(optimization_level=3, target=target, seed_transpiler=seed).run(circuit)
    return Compiled(in_gates, estimated_success(in_gates, target), seed, list(range(circuit.num_qubits)))


def _on_copies(circuit: QuantumCircuit, target: Target, shape: Shape, seed: int) -> list[Compiled]:
    """Return a circuit in the target's gates where a shape lies best, on COPIES different sets of qubits at most.

    Args:
        circuit: With measurements.
        target: Of usable gates.
        shape: Where the circuit may lie.
        seed: The transpiler's.
    """
    place = part(target, shape.model)
    in_gates = generate_preset_pass_manager(optimization_level=3, target=place, seed_transpiler=seed).run(circuit)
    counts = Counter(
        (item.operation.name, tuple(in_gates.find_bit(qubit).index for qubit in item.qubits)) for item in in_gates.data
    )
    best: dict[frozenset[int], tuple[float, list[int]]] = {}
    for copy in shape.copies:
        success = sum(
            count * _log_success(target, name, tuple(copy[number] for number in place))
            for (name, place), count in counts.items()
        )
        if frozenset(copy) not in best or success > best[frozenset(copy)][0]:
            best[frozenset(copy)] = success, copy
    found = sorted(best.values(), key=lambda entry: -entry[0])[:COPIES]
    return [_placed(in_gates, target, copy, seed) for _, copy in found]


def _placed(in_gates: QuantumCircuit, target: Target, copy: list[int], seed: int) -> Compiled:
    """Return a circuit compiled for some qubits on those of the whole device."""
    register = QuantumRegister(target.num_qubits, "q")
    placed = QuantumCircuit(register, *in_gates.cregs, global_phase=in_gates.global_phase)
    placed.compose(in_gates, qubits=copy, clbits=range(in_gates.num_clbits), inplace=True)
    layout = [copy[number] for number in in_gates.layout.initial_index_layout(filter_ancillas=True)]
    return Compiled(placed, estimated_success(placed, target), seed, layout)


def estimated_success(circuit: QuantumCircuit, target: Target) -> float:
    """Return the product of 1 - error over all gates and readouts by the calibration."""
    logarithm = 0.0
    for item in circuit.data:
        place = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        logarithm += _log_success(target, item.operation.name, place)
    return math.exp(logarithm)


def _log_success(target: Target, name: str, place: tuple[int, ...]) -> float:
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
                longer.append(item.operation.inverse(), item.qubits)
                longer.barrier(item.qubits)
                longer.append(item.operation, item.qubits)
    return longer
