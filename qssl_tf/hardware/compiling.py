"""Compiling a head for a device once, with its data still symbols; the layout is chosen by what the device would do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import PassManager, generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import CollectLinearFunctions, HighLevelSynthesis

from qssl_tf.errors import UserError

READ = "meas"  # the register of the last measurement, as `measure_all` calls it
SEEDS = 4  # for each region; level 3 differs a lot from seed to seed


@dataclass(frozen=True)
class Compiled:
    """A circuit in a device's gates.

    Attributes:
        circuit: It ends in measurements of qubit i into bit i of the register READ.
        success: Estimated probability that no gate and no readout fails, by the calibration; 1 without one.
        seed: The transpiler's.
    """

    circuit: QuantumCircuit
    success: float
    seed: int

    @property
    def two_qubit_gates(self) -> int:
        """Number of gates on two qubits."""
        return sum(len(item.qubits) == 2 and item.operation.name != "barrier" for item in self.circuit.data)

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
        """Physical qubit of each qubit of the head."""
        placed = {item.clbits[0]: item.qubits[0] for item in self.circuit.data if item.operation.name == "measure"}
        last = next(register for register in self.circuit.cregs if register.name == READ)
        return [self.circuit.find_bit(placed[clbit]).index for clbit in last]


def compile_head(circuit: QuantumCircuit, backend: Any, seed: int = 0) -> list[Compiled]:
    """Return the circuit in the backend's gates, by several regions and seeds, the most promising first.

    CX circuits are first made anew as linear functions (28 CX between 8 qubits are a chain of 7), which the preset
    levels do not do. Beside the whole device, regions of just enough qubits are tried: routed freely, a ring of 8
    wanders over 12 qubits of a heavy-hexagon lattice, with more errors and a 256 times larger density matrix.

    Args:
        circuit: Without a measurement at its end; free parameters stay.
        backend: A Qiskit backend.
        seed: The first of the transpiler's seeds.

    Raises:
        UserError: The backend has too few qubits, or its gates cannot make the circuit.
    """
    if backend.num_qubits is not None and circuit.num_qubits > backend.num_qubits:
        raise UserError(
            f"`backend` must have at least {circuit.num_qubits} qubits for this run; {backend.name} has "
            f"{backend.num_qubits}."
        )
    measured = PassManager([CollectLinearFunctions(), HighLevelSynthesis()]).run(circuit)
    measured.measure_all()
    found = []
    for number in range(seed, seed + SEEDS):
        for region in [None, *regions(backend, circuit.num_qubits)]:
            try:
                made = _in_region(measured, backend, region, number)
            except TranspilerError as error:
                raise UserError(f"{backend.name} cannot run this circuit: {error.message}") from None
            found.append(Compiled(made, estimated_success(made, backend), number))
    return sorted(found, key=lambda compiled: -compiled.success)


def _in_region(circuit: QuantumCircuit, backend: Any, region: list[int] | None, seed: int) -> QuantumCircuit:
    """Return the circuit in the backend's gates on the qubits of a region; None is the whole device."""
    options: dict[str, Any] = {"optimization_level": 3, "seed_transpiler": seed}
    if region is None:
        return generate_preset_pass_manager(backend=backend, **options).run(circuit)
    manager = generate_preset_pass_manager(
        coupling_map=backend.coupling_map.reduce(region), basis_gates=list(backend.target.operation_names), **options
    )
    small = manager.run(circuit)
    placed = QuantumCircuit(QuantumRegister(backend.num_qubits, "q"), *small.cregs, global_phase=small.global_phase)
    return placed.compose(small, qubits=region, clbits=range(small.num_clbits))


def regions(backend: Any, width: int) -> list[list[int]]:
    """Return connected regions of `width` qubits, each grown from another qubit by the least calibrated error."""
    if getattr(backend, "coupling_map", None) is None or backend.num_qubits <= width:
        return []
    target = backend.target
    gate = next((name for name in ("cx", "ecr", "cz") if name in target.operation_names), None)
    edges = {pair: target[gate][pair] for pair in backend.coupling_map.get_edges() if gate and pair in target[gate]}
    neighbours: dict[int, dict[int, float]] = {}
    for (first, second), properties in edges.items():
        cost = 0.0 if properties is None or properties.error is None else properties.error
        for here, there in ((first, second), (second, first)):
            read = target["measure"].get((there,)) if "measure" in target.operation_names else None
            neighbours.setdefault(here, {})[there] = cost + (0.0 if read is None else read.error or 0.0)
    found = []
    for start in sorted(neighbours):
        region = {start}
        while len(region) < width:
            rim = [(c, q) for own in region for q, c in neighbours[own].items() if q not in region]
            if not rim:
                break
            region.add(min(rim)[1])
        if len(region) == width and sorted(region) not in found:
            found.append(sorted(region))
    return found


def estimated_success(circuit: QuantumCircuit, backend: Any) -> float:
    """Return the product of 1 - error over all gates and readouts by the calibration."""
    logarithm = 0.0
    for item in circuit.data:
        error = _error(item, circuit, backend.target)
        logarithm += math.log1p(-min(error, 0.999))
    return math.exp(logarithm)


def _error(item: CircuitInstruction, circuit: QuantumCircuit, target: Any) -> float:
    """Return the calibrated error of one instruction, 0 where there is none."""
    place = tuple(circuit.find_bit(qubit).index for qubit in item.qubits)
    if item.operation.name not in target.operation_names:
        return 0.0
    properties = target[item.operation.name].get(place)
    return 0.0 if properties is None or properties.error is None else properties.error


def folded(circuit: QuantumCircuit, scale: int) -> QuantumCircuit:
    """Return the circuit with each two-qubit gate G replaced by G (G^-1 G)^k, scale = 2k + 1 (arXiv:2005.10921).

    Args:
        circuit: Compiled, ending in measurements.
        scale: Odd, by how much two-qubit noise is multiplied.
    """
    made = circuit.copy_empty_like()
    for item in circuit.data:
        made.append(item)
        if len(item.qubits) == 2 and item.operation.name != "barrier":
            for _ in range((scale - 1) // 2):
                made.barrier(item.qubits)
                made.append(item.operation.inverse(), item.qubits)
                made.barrier(item.qubits)
                made.append(item.operation, item.qubits)
    return made


def readout_contrast(layout: Sequence[int], backend: Any) -> list[float]:
    """Return 1 - 2 (mean readout error) of each qubit of the head, by the calibration; 1 without one."""
    target = backend.target
    if "measure" not in target.operation_names:
        return [1.0] * len(layout)
    found = [target["measure"].get((qubit,)) for qubit in layout]
    return [1.0 if p is None or p.error is None else 1 - 2 * p.error for p in found]
