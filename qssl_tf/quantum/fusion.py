"""Fusing gates into few large steps: what a state-vector simulator spends its time on is passes over the state.

Neighbouring gates are multiplied into dense matrices on up to DENSE_WIRES qubits, which turns memory-bound gates into
matrix products; CX circuits on more qubits become one permutation of amplitudes, and rotations by an angle of each
row's own become one table of phases.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cirq
import numpy as np

from qssl_tf.quantum.gates import Dephasing, Gate, Instruction, RowRotation, embedded, fixed, instructions
from qssl_tf.quantum.splitting import SplitCircuit

DENSE_WIRES = 5  # measured at 8 qubits, ring: 4 and 6 wires are slower; each wire more doubles the arithmetic
PAIR_WIRES = 2  # a dense step's matrix is itself built from blocks of this size


@dataclass(frozen=True)
class Block:
    """Gates on a few wires, multiplied one after the other.

    Attributes:
        wires: In the order of the matrices' bits, most significant first.
        terms: Shape (gates, 3, 2^k, 2^k), as in `Gate`; float32 where all gates are real, else complex64.
        angles: Number of each gate's angle; None for a gate without.
    """

    wires: tuple[int, ...]
    terms: np.ndarray
    angles: tuple[int | None, ...]

    @property
    def is_real(self) -> bool:
        """Whether no gate has an imaginary part."""
        return not np.iscomplexobj(self.terms)


@dataclass(frozen=True)
class Dense:
    """A matrix on a few wires, the product of blocks."""

    wires: tuple[int, ...]
    blocks: tuple[Block, ...]

    @property
    def is_real(self) -> bool:
        """Whether the matrix has no imaginary part."""
        return all(block.is_real for block in self.blocks)


@dataclass(frozen=True)
class Permutation:
    """Gates that only move amplitudes, such as CX; `gates` are fixed."""

    wires: tuple[int, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Phases:
    """Rotations about products of Z with an angle for each row; they commute."""

    wires: tuple[int, ...]
    rotations: tuple[RowRotation, ...]


@dataclass(frozen=True)
class Dephased:
    """Qubits measured in Z, their outcomes not kept."""

    wires: tuple[int, ...]


Step = Dense | Permutation | Phases | Dephased
STEP_OF: dict[type, type] = {Gate: Dense, RowRotation: Phases, Dephasing: Dephased}


@dataclass
class _Open:
    """A step that still takes instructions."""

    kind: type
    wires: set[int]
    items: list[Instruction] = field(default_factory=list)

    @property
    def gates(self) -> list[Gate]:
        """The items that are gates."""
        return [item for item in self.items if isinstance(item, Gate)]


@dataclass(frozen=True)
class Program:
    """A circuit as a state-vector simulator runs it.

    Attributes:
        width: Number of qubits.
        start: For each qubit the number of the gate that turns it from |0> by RY, or None; the states start as such
            products, which are real.
        steps: In order.
        row_gates: Numbers of the gates whose angles differ from row to row.
        count: Number of gates with an angle, those that the state starts from included.
    """

    width: int
    start: tuple[int | None, ...]
    steps: tuple[Step, ...]
    row_gates: tuple[int, ...]
    count: int

    @property
    def copies(self) -> int:
        """How many unnormalised states stand for one row: one for each outcome of the measurements on the way."""
        return 2 ** sum(len(step.wires) for step in self.steps if isinstance(step, Dephased))


def program(circuit: SplitCircuit, qubits: Sequence[cirq.Qid], row_gates: Iterable[int], prepared: int = 0) -> Program:
    """Fuse a circuit.

    Args:
        circuit: The gates.
        qubits: In order; qubit 0 is the most significant bit of a state's index.
        row_gates: Numbers of the gates whose angles differ from row to row.
        prepared: Number of operations at the front that something else runs.

    Raises:
        UserError: A gate that this simulator does not know.
    """
    by_row = frozenset(row_gates)
    start: list[int | None] = [None] * len(qubits)
    steps: list[_Open] = []
    for instruction in _started(instructions(circuit, qubits, by_row, prepared), None if prepared else start):
        _place(instruction, steps)
    closed = tuple(_close(step) for step in steps)
    return Program(len(qubits), tuple(start), closed, tuple(sorted(by_row)), len(circuit.names))


def _started(stream: Iterable[Instruction], start: list[int | None] | None) -> Iterator[Instruction]:
    """Yield the instructions with rows' rotations about Z only; note in `start` those that the states start from.

    RX(x)|0> is RY(x)|0> followed by S^dagger, so both start from a real state.
    """
    touched: set[int] = set()
    for instruction in stream:
        first = not touched & set(instruction.wires)
        touched |= set(instruction.wires)
        if not isinstance(instruction, RowRotation):
            yield instruction
        elif start is not None and first and instruction.wires == instruction.targets and instruction.letters in "XY":
            start[instruction.wires[0]] = instruction.angle
            if instruction.letters == "X":
                yield fixed(np.diag([1, -1j]), instruction.wires)
        else:
            yield from instruction.about_z()


def _is_permutation(instruction: Instruction) -> bool:
    """Whether the instruction only moves amplitudes."""
    if not isinstance(instruction, Gate) or instruction.angle is not None:
        return False
    return bool(np.all(np.isclose(instruction.terms[0], 0) | np.isclose(instruction.terms[0], 1)))


def _place(instruction: Instruction, steps: list[_Open]) -> None:
    """Put an instruction into the first step that can take it without passing another on the same wires."""
    wires = set(instruction.wires)
    earliest = max((number for number, step in enumerate(steps) if step.wires & wires), default=0)
    kinds = [Dense, Permutation] if _is_permutation(instruction) else [STEP_OF[type(instruction)]]
    for kind in kinds:
        for step in steps[earliest:]:
            if step.kind is kind and (kind is not Dense or len(step.wires | wires) <= DENSE_WIRES):
                step.wires |= wires
                step.items.append(instruction)
                return
    steps.append(_Open(kinds[-1], wires, [instruction]))


def _close(step: _Open) -> Step:
    wires = tuple(sorted(step.wires))
    if step.kind is Dense:
        return Dense(wires, tuple(_block(pair) for pair in _paired(step.gates)))
    if step.kind is Dephased:
        return Dephased(wires)
    return step.kind(wires, tuple(step.items))


def _paired(gates: Iterable[Gate]) -> list[list[Gate]]:
    """Return the gates in groups of at most PAIR_WIRES wires (more, where a gate has more)."""
    groups: list[tuple[set[int], list[Gate]]] = []
    for gate in gates:
        wires = set(gate.wires)
        earliest = max((number for number, (used, _) in enumerate(groups) if used & wires), default=0)
        for used, group in groups[earliest:]:
            if len(used | wires) <= PAIR_WIRES:
                used |= wires
                group.append(gate)
                break
        else:
            groups.append((wires, [gate]))
    return [group for _, group in groups]


def _block(gates: Sequence[Gate]) -> Block:
    """Multiply gates into a block; those without an angle are merged into a neighbour."""
    wires = tuple(sorted({wire for gate in gates for wire in gate.wires}))
    terms: list[np.ndarray] = []
    angles: list[int | None] = []
    for gate in gates:
        matrices = np.stack([embedded(term, gate.wires, wires) for term in gate.terms])
        if terms and gate.angle is None:
            terms[-1] = matrices[0] @ terms[-1]
        elif terms and angles[-1] is None:
            terms[-1], angles[-1] = matrices @ terms[-1][0], gate.angle
        else:
            terms.append(matrices)
            angles.append(gate.angle)
    stacked = np.stack(terms)
    is_real = np.allclose(stacked.imag, 0, atol=1e-12)
    return Block(wires, stacked.real.astype(np.float32) if is_real else stacked.astype(np.complex64), tuple(angles))
