"""A noisy circuit as few large steps for observables that go backwards through it.

In front, each qubit's state is an affine function of the cosine and sine of the angle that a row gives it: three
numbers. Behind it everything is the same for all rows, noise included.
"""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from qssl_tf.quantum.gates import embed
from qssl_tf.quantum.transfer import FUNCTIONS, Transfer

ZERO = np.array([1.0, 0.0, 0.0, 1.0])  # |0>
MEASURED = np.eye(4)[[0, 3]]  # I and Z


@dataclass(frozen=True)
class Front:
    """The state of one qubit before it meets another.

    Attributes:
        angle: Number of the gate with the row's angle; None where the qubit gets none.
        matrix: float64, shape (4, 3): Bloch vector = matrix @ (1, cos a, sin a), its first entry being 1.
    """

    angle: int | None
    matrix: np.ndarray


@dataclass(frozen=True)
class Block:
    """Gates and channels on a few wires, multiplied into one matrix.

    A wire's digit counts the four Pauli matrices between blocks, the three functions of its front (1, cos a, sin a)
    where the block is the wire's first, and I and Z, which are all that is measured, behind its last.

    Attributes:
        wires: In the order of the matrix's digits, most significant first.
        factors: float32, shape (5, rows, columns) each, first factor first; what has no angle is part of a neighbour.
        angles: Number of each factor's angle; None for one without.
        before: Size of each wire's digit in front of the block, 3 or 4.
        behind: Size of each wire's digit behind it, 2 or 4.
    """

    wires: tuple[int, ...]
    factors: tuple[np.ndarray, ...]
    angles: tuple[int | None, ...]
    before: tuple[int, ...]
    behind: tuple[int, ...]


@dataclass(frozen=True)
class PauliProgram:
    """A circuit that is ready to run: a front for each qubit, then blocks in order."""

    fronts: tuple[Front, ...]
    blocks: tuple[Block, ...]

    @property
    def width(self) -> int:
        """Number of qubits."""
        return len(self.fronts)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of coefficients of an observable: at its start, and in front of each block as it goes backwards."""
        digits = dict.fromkeys(range(self.width), 2)
        sizes = [math.prod(digits.values())]
        for block in reversed(self.blocks):
            digits |= dict(zip(block.wires, block.before, strict=True))
            sizes.append(math.prod(digits.values()))
        return tuple(sizes)


def pauli_program(steps: Iterable[Transfer], width: int, by_row: Container[int]) -> PauliProgram | None:
    """Return the program of a circuit; None where a row's angle enters behind the front.

    Args:
        steps: What the circuit does, in order.
        width: Number of qubits.
        by_row: Numbers of the gates that have an angle of their own for each row.
    """
    remaining = list(steps)
    fronts = tuple(_front(remaining, wire, by_row) for wire in range(width))
    if any(step.angle in by_row for step in remaining if step.angle is not None):
        return None
    groups = _grouped(remaining)
    lone = set(range(width)) - {wire for wires, _ in groups for wire in wires}
    groups += [((wire,), [Transfer((wire,), np.eye(4)[np.newaxis])]) for wire in sorted(lone)]
    blocks = [
        _block(
            wires,
            parts,
            {wire: fronts[wire].matrix for wire in wires if not any(wire in earlier for earlier, _ in groups[:number])},
            [wire for wire in wires if not any(wire in later for later, _ in groups[number + 1 :])],
        )
        for number, (wires, parts) in enumerate(groups)
    ]
    return PauliProgram(fronts, tuple(blocks))


def _front(steps: list[Transfer], wire: int, by_row: Container[int]) -> Front:
    """Take from `steps` what one qubit meets before its first gate with a weight or with another qubit."""
    angle, matrix = None, np.outer(ZERO, [1.0, 0.0, 0.0])
    for step in [step for step in steps if wire in step.wires]:
        is_row = step.angle is not None and step.angle in by_row
        if len(step.wires) > 1 or (step.angle is not None and (not is_row or angle is not None)):
            break
        if is_row:
            angle, matrix = step.angle, np.stack([term @ matrix[:, 0] for term in step.terms[:3]], axis=1)
        else:
            matrix = step.terms[0] @ matrix
        steps.remove(step)
    return Front(angle, matrix)


def _grouped(steps: Sequence[Transfer]) -> list[tuple[tuple[int, ...], list[Transfer]]]:
    """Return the steps in groups of neighbours, each on the wires of its largest gate."""
    groups: list[tuple[tuple[int, ...], list[Transfer]]] = []
    last: dict[int, int] = {}  # wire -> the group that was the last to touch it

    for step in steps:
        touched = {last[wire] for wire in step.wires if wire in last}
        newest = max(touched, default=None)
        if newest is not None and set(step.wires) <= set(groups[newest][0]) and all(
            last.get(wire) in (newest, None) for wire in step.wires
        ):  # fmt: skip
            groups[newest][1].append(step)
            continue
        # A smaller group is taken in where nothing has followed it on any of its wires.
        loose = [
            number
            for number in sorted(touched)
            if set(groups[number][0]) < set(step.wires) and all(last[wire] == number for wire in groups[number][0])
        ]
        absorbed = [part for number in loose for part in groups[number][1]]
        for number in loose:
            groups[number] = (groups[number][0], [])
        groups.append((step.wires, [*absorbed, step]))
        last |= dict.fromkeys(step.wires, len(groups) - 1)
    return [(wires, parts) for wires, parts in groups if parts]


def _block(
    wires: tuple[int, ...], parts: Sequence[Transfer], fronts: Mapping[int, np.ndarray], last: Container[int]
) -> Block:
    """Return parts as factors on the wires of a block; what has no angle is multiplied into the one before it.

    Args:
        wires: Of the block.
        parts: In order.
        fronts: The matrix in front of each wire that the block is the first to touch.
        last: The wires that no later block touches.
    """
    factors: list[np.ndarray] = []
    angles: list[int | None] = []
    for part in parts:
        terms = np.zeros((FUNCTIONS, 4 ** len(wires), 4 ** len(wires)))
        for place, term in enumerate(part.terms):
            terms[place] = embed(term, part.wires, wires, base=4)
        if factors and part.angle is None:
            factors[-1] = terms[0] @ factors[-1]
        elif factors and angles[-1] is None:
            factors[-1], angles[-1] = terms @ factors[-1][0], part.angle
        else:
            factors.append(terms)
            angles.append(part.angle)
    entry = reduce(np.kron, [fronts.get(wire, np.eye(4)) for wire in wires])
    exit_ = reduce(np.kron, [MEASURED if wire in last else np.eye(4) for wire in wires])
    factors[0] = factors[0] @ entry
    factors[-1] = exit_ @ factors[-1]
    return Block(
        wires,
        tuple(factor.astype(np.float32) for factor in factors),
        tuple(angles),
        tuple(3 if wire in fronts else 4 for wire in wires),
        tuple(2 if wire in last else 4 for wire in wires),
    )
