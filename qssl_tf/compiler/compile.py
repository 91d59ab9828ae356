"""Compiles a head for a device once, its inputs still symbolic, and ranks layouts by their estimated success."""

import math
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import PassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import CollectLinearFunctions, HighLevelSynthesis

from qssl_tf.compiler.working_parts import (
    check_width,
    connected,
    couplers,
    error_in,
    error_of,
    is_laid_out,
    neighbours,
    part,
    usable,
    working_qubits,
)
from qssl_tf.errors import UserError

READ = "meas"  # the register of the last measurement, as `measure_all` calls it
SEEDS = 4  # for each region; level 3 differs a lot from seed to seed


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
    heavy-hexagon lattice, with more errors and a 256 times larger density matrix. Dead qubits and gates are not used.

    Args:
        circuit: Without a measurement at its end; free parameters stay.
        backend: A Qiskit backend.
        seed: The first of the transpiler's seeds.

    Raises:
        UserError: The backend has too few qubits, or its gates cannot make the circuit.
    """
    check_width(backend, circuit.num_qubits)
    target = usable(backend) if is_laid_out(backend) else backend.target
    places: list[list[int] | None] = [None]
    if is_laid_out(backend):
        places = [*_places(target, circuit.num_qubits)]
    candidates = []
    for form in _forms(circuit):
        for number in range(seed, seed + SEEDS):
            for region in places:
                try:
                    in_gates, layout = _in_region(form, target, region, number)
                except TranspilerError as error:
                    raise UserError(f"{backend.name} cannot run this circuit: {error.message}") from None
                candidates.append(Compiled(in_gates, estimated_success(in_gates, target), number, layout))
    return sorted(candidates, key=lambda compiled: (-compiled.success, compiled.two_qubit_gates))


def _forms(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """Return the circuit, measured, and the one with its CX made anew, unless that is the same."""
    anew = PassManager([CollectLinearFunctions(), HighLevelSynthesis()]).run(circuit)
    forms = [circuit.copy()] if anew == circuit else [circuit.copy(), anew]
    for form in forms:
        form.measure_all()
    return forms


def _places(target: Target, width: int) -> list[list[int]]:
    """Return where on a device a circuit is tried: its connected parts as wholes, then small regions of them."""
    wholes = [group for group in connected(couplers(target), working_qubits(target)) if len(group) >= width]
    return [*wholes, *(region for region in regions(target, width) if region not in wholes)]


def _in_region(
    circuit: QuantumCircuit, target: Target, region: list[int] | None, seed: int
) -> tuple[QuantumCircuit, list[int]]:
    """Return the circuit in the target's gates on the qubits of a region, and where each of its qubits begins.

    Args:
        circuit: With measurements.
        target: Of usable gates.
        region: Connected qubits; None where qubits have no places.
        seed: The transpiler's.
    """
    place = target if region is None else part(target, region)
    manager = generate_preset_pass_manager(optimization_level=3, target=place, seed_transpiler=seed)
    in_gates = manager.run(circuit)
    if region is None:
        return in_gates, list(range(circuit.num_qubits))
    placed = QuantumCircuit(
        QuantumRegister(target.num_qubits, "q"), *in_gates.cregs, global_phase=in_gates.global_phase
    )
    placed.compose(in_gates, qubits=region, clbits=range(in_gates.num_clbits), inplace=True)
    return placed, [region[number] for number in in_gates.layout.initial_index_layout(filter_ancillas=True)]


def regions(target: Target, width: int) -> list[list[int]]:
    """Return connected regions of `width` qubits, each grown from another qubit by the least calibrated error."""
    costs = {
        here: {there: error_in(gate) + error_of(target, "measure", (there,)) for there, gate in gates.items()}
        for here, gates in neighbours(target).items()
    }
    grown = []
    for start in sorted(costs):
        region = {start}
        while len(region) < width:
            rim = [(cost, qubit) for own in region for qubit, cost in costs[own].items() if qubit not in region]
            if not rim:
                break
            region.add(min(rim)[1])
        if len(region) == width and sorted(region) not in grown:
            grown.append(sorted(region))
    return grown


def estimated_success(circuit: QuantumCircuit, target: Target) -> float:
    """Return the product of 1 - error over all gates and readouts by the calibration."""
    logarithm = 0.0
    for item in circuit.data:
        place = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
        logarithm += math.log1p(-min(error_of(target, item.operation.name, place), 0.999))
    return math.exp(logarithm)


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
