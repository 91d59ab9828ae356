"""Gate fusion into a few large steps, since a state-vector simulator spends its time on passes over the state.

Adjacent gates are multiplied into dense matrices on up to DENSE_WIRES qubits, which turns memory-bound gates into
matrix products; CX circuits on more qubits become one permutation of amplitudes, and rotations with a separate angle
for each row become one table of phases.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cirq
import numpy as np

from qssl_tf.quantum.gates import Dephasing, Gate, Instruction, RowRotation, embed, fixed_gate, instructions
from qssl_tf.quantum.gatewise import GatewiseCircuit

DENSE_WIRES = 5  # for the ring on 8 qubits, 4 and 6 wires are slower; each further wire doubles the arithmetic
PAIR_WIRES = 2  # of the blocks from which the matrix of a dense step is built


@dataclass(frozen=True)
class Block:
    """Gates on a few wires, applied in order.

    Attributes:
        wires: In the order of the matrices' index bits, most significant first.
        terms: Shape (gates, 3, 2^k, 2^k), as in `Gate`; float32 where all gates are real, else complex64.
        angles: Number of each gate's angle; None for a gate without an angle.
    """

    wires: tuple[int, ...]
    terms: np.ndarray
    angles: tuple[int | None, ...]

    @property
    def is_real(self) -> bool:
        """Whether all matrices are real."""
        return not np.iscomplexobj(self.terms)


@dataclass(frozen=True)
class Dense:
    """A matrix on a few wires, the product of blocks."""

    wires: tuple[int, ...]
    blocks: tuple[Block, ...]

    @property
    def is_real(self) -> bool:
        """Whether the matrix is real."""
        return all(block.is_real for block in self.blocks)


@dataclass(frozen=True)
class Permutation:
    """Gates without angles that only permute amplitudes, such as CX."""

    wires: tuple[int, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Phases:
    """Commuting rotations about products of Z with a separate angle for each row."""

    wires: tuple[int, ...]
    rotations: tuple[RowRotation, ...]


@dataclass(frozen=True)
class DephasingStep:
    """Measurements in Z with discarded outcomes."""

    wires: tuple[int, ...]


Step = Dense | Permutation | Phases | DephasingStep
STEP_OF: dict[type, type] = {Gate: Dense, RowRotation: Phases, Dephasing: DephasingStep}


@dataclass
class _OpenStep:
    """A step to which instructions can still be added."""

    kind: type
    wires: set[int]
    items: list[Instruction] = field(default_factory=list)

    @property
    def gates(self) -> list[Gate]:
        """The instructions that are gates."""
        return [item for item in self.items if isinstance(item, Gate)]


@dataclass(frozen=True)
class Program:
    """A circuit as the state-vector simulator runs it.

    Attributes:
        width: Number of qubits.
        start: For each qubit, the number of the gate that first rotates it from |0> by RY, or None; products of such
            states are real.
        steps: In order.
        row_gates: Numbers of the gates whose angles differ from row to row.
        count: Number of gates with an angle, including those in `start`.
    """

    width: int
    start: tuple[int | None, ...]
    steps: tuple[Step, ...]
    row_gates: tuple[int, ...]
    count: int

    @property
    def copies(self) -> int:
        """Number of unnormalised states per row: one for each outcome of the mid-circuit measurements."""
        return 2 ** sum(len(step.wires) for step in self.steps if isinstance(step, DephasingStep))


def fuse(circuit: GatewiseCircuit, qubits: Sequence[cirq.Qid], row_gates: Iterable[int], skip: int = 0) -> Program:
    """Fuse a circuit.

    Args:
        circuit: The gates.
        qubits: In order; qubit 0 is the most significant bit of a state's index.
        row_gates: Numbers of the gates whose angles differ from row to row.
        skip: Number of leading operations to leave out, since the caller prepares their state.

    Raises:
        UserError: A gate that this simulator does not support.
    """
    by_row = frozenset(row_gates)
    start: list[int | None] = [None] * len(qubits)
    steps: list[_OpenStep] = []
    for instruction in _absorb_initial_rotations(instructions(circuit, qubits, by_row, skip), None if skip else start):
        _schedule(instruction, steps)
    fused_steps = tuple(_finish(step) for step in steps)
    return Program(len(qubits), tuple(start), fused_steps, tuple(sorted(by_row)), len(circuit.names))


def _absorb_initial_rotations(stream: Iterable[Instruction], start: list[int | None] | None) -> Iterator[Instruction]:
    """Move initial row rotations into `start`, and yield the rest with row rotations about Z only.

    RX(x)|0> is RY(x)|0> followed by S^dagger, so both begin with a real state.
    """
    touched_wires: set[int] = set()
    for instruction in stream:
        first = not touched_wires & set(instruction.wires)
        touched_wires |= set(instruction.wires)
        if not isinstance(instruction, RowRotation):
            yield instruction
        elif start is not None and first and instruction.wires == instruction.targets and instruction.letters in "XY":
            start[instruction.wires[0]] = instruction.angle
            if instruction.letters == "X":
                yield fixed_gate(np.diag([1, -1j]), instruction.wires)
        else:
            yield from instruction.about_z()


def _is_permutation(instruction: Instruction) -> bool:
    """Return whether the instruction only permutes amplitudes."""
    if not isinstance(instruction, Gate) or instruction.angle is not None:
        return False
    return bool(np.all(np.isclose(instruction.terms[0], 0) | np.isclose(instruction.terms[0], 1)))


def _schedule(instruction: Instruction, steps: list[_OpenStep]) -> None:
    """Add an instruction to the first step that can take it without overtaking another on the same wires."""
    wires = set(instruction.wires)
    earliest = max((number for number, step in enumerate(steps) if step.wires & wires), default=0)
    kinds = [Dense, Permutation] if _is_permutation(instruction) else [STEP_OF[type(instruction)]]
    for kind in kinds:
        for step in steps[earliest:]:
            if step.kind is kind and (kind is not Dense or len(step.wires | wires) <= DENSE_WIRES):
                step.wires |= wires
                step.items.append(instruction)
                return
    steps.append(_OpenStep(kinds[-1], wires, [instruction]))


def _finish(step: _OpenStep) -> Step:
    wires = tuple(sorted(step.wires))
    if step.kind is Dense:
        return Dense(wires, tuple(_block(group) for group in _group_gates(step.gates)))
    if step.kind is DephasingStep:
        return DephasingStep(wires)
    return step.kind(wires, tuple(step.items))


def _group_gates(gates: Iterable[Gate]) -> list[list[Gate]]:
    """Return the gates in groups on at most PAIR_WIRES wires (more for a gate that has more)."""
    groups: list[tuple[set[int], list[Gate]]] = []
    for gate in gates:
        wires = set(gate.wires)
        earliest = max((number for number, (group_wires, _) in enumerate(groups) if group_wires & wires), default=0)
        for group_wires, group in groups[earliest:]:
            if len(group_wires | wires) <= PAIR_WIRES:
                group_wires |= wires
                group.append(gate)
                break
        else:
            groups.append((wires, [gate]))
    return [group for _, group in groups]


def _block(gates: Sequence[Gate]) -> Block:
    """Combine gates into a block; those without an angle are multiplied into a neighbour."""
    wires = tuple(sorted({wire for gate in gates for wire in gate.wires}))
    terms: list[np.ndarray] = []
    angles: list[int | None] = []
    for gate in gates:
        matrices = np.stack([embed(term, gate.wires, wires) for term in gate.terms])
        if terms and gate.angle is None:
            terms[-1] = matrices[0] @ terms[-1]
        elif terms and angles[-1] is None:
            terms[-1], angles[-1] = matrices @ terms[-1][0], gate.angle
        else:
            terms.append(matrices)
            angles.append(gate.angle)
    stacked_terms = np.stack(terms)
    is_real = np.allclose(stacked_terms.imag, 0, atol=1e-12)
    return Block(
        wires, stacked_terms.real.astype(np.float32) if is_real else stacked_terms.astype(np.complex64), tuple(angles)
    )
