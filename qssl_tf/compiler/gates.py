"""The gate table of the bridge: each family of Cirq's gates as Qiskit gates and a global phase.

An entry takes a gate to pieces on the gate's own wires and a phase in radians; angles are sympy expressions or numbers.
Cirq's powers are exp(i pi t s) G^t with the exponent t and the global shift s. What Qiskit's rotation leaves out of
that is the phase; it is kept, since a control turns it into a gate.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import cirq
import numpy as np
import sympy
from qiskit.circuit import Gate
from qiskit.circuit import library as qk


class Piece(NamedTuple):
    """A Qiskit gate: its class, its angles in radians, and which of the operation's wires it acts on."""

    kind: Callable[..., Gate]
    angles: tuple[Any, ...]
    wires: tuple[int, ...]


Translated = tuple[list[Piece], Any]
PI = sympy.pi


def _power(rotation: Callable[..., Gate], named: Callable[..., Gate] | None, wires: int = 1):
    """Return the entry of P^t, P a product of Pauli matrices: a rotation by pi t, or P itself where t is 1."""
    own = tuple(range(wires))

    def entry(gate: Any) -> Translated:
        angle = PI * gate.exponent
        if named and gate.exponent == 1:
            return [Piece(named, (), own)], angle * gate.global_shift
        return [Piece(rotation, (angle,), own)], angle * (gate.global_shift + sympy.Rational(1, 2))

    return entry


def _hadamard(gate: Any) -> Translated:
    """H^t is Z^t between rotations about Y that turn Z into H."""
    angle = PI * gate.exponent
    if gate.exponent == 1:
        return [Piece(qk.HGate, (), (0,))], angle * gate.global_shift
    turns = [Piece(qk.RYGate, (sign * PI / 4,), (0,)) for sign in (-1, 1)]
    return [turns[0], Piece(qk.PhaseGate, (angle,), (0,)), turns[1]], angle * gate.global_shift


def _controlled_z(controls: int, named: Callable[..., Gate], turned: bool):
    """Return the entry of Z^t (or X^t if `turned`) under controls: phases, which H turns into X."""
    own = tuple(range(controls + 1))
    target = (controls,)

    def entry(gate: Any) -> Translated:
        angle = PI * gate.exponent
        phase = angle * gate.global_shift
        if gate.exponent == 1:
            return [Piece(named, (), own)], phase
        kind = qk.CPhaseGate if controls == 1 else _controlled_phase(controls)
        middle, hadamard = Piece(kind, (angle,), own), Piece(qk.HGate, (), target)
        return ([hadamard, middle, hadamard] if turned else [middle]), phase

    return entry


def _controlled_phase(controls: int) -> Callable[..., Gate]:
    return lambda angle: qk.MCPhaseGate(angle, controls)


def _swap(gate: Any) -> Translated:
    """SWAP^t is CX, CX^t the other way round, CX."""
    angle = PI * gate.exponent
    if gate.exponent == 1:
        return [Piece(qk.SwapGate, (), (0, 1))], angle * gate.global_shift
    around, hadamard = Piece(qk.CXGate, (), (0, 1)), Piece(qk.HGate, (), (0,))
    middle = [hadamard, Piece(qk.CPhaseGate, (angle,), (1, 0)), hadamard]
    return [around, *middle, around], angle * gate.global_shift


def _iswap(gate: Any) -> Translated:
    angle = PI * gate.exponent
    return [Piece(qk.XXPlusYYGate, (-angle, 0), (0, 1))], angle * gate.global_shift


def _phased_iswap(gate: Any) -> Translated:
    """exp(i pi t/4 (XX + YY)) between Z rotations by the phase exponent."""
    turn = 2 * PI * gate.phase_exponent
    before = [Piece(qk.RZGate, (turn / 2,), (0,)), Piece(qk.RZGate, (-turn / 2,), (1,))]
    after = [Piece(qk.RZGate, (-turn / 2,), (0,)), Piece(qk.RZGate, (turn / 2,), (1,))]
    return [*before, Piece(qk.XXPlusYYGate, (-PI * gate.exponent, 0), (0, 1)), *after], 0


def _fsim(gate: Any) -> Translated:
    exchange = Piece(qk.XXPlusYYGate, (2 * gate.theta, 0), (0, 1))
    return [exchange, Piece(qk.CPhaseGate, (-gate.phi,), (0, 1))], 0


def _phased_x(gate: Any) -> Translated:
    turn, angle = PI * gate.phase_exponent, PI * gate.exponent
    pieces = [(qk.RZGate, -turn), (qk.RXGate, angle), (qk.RZGate, turn)]
    return [Piece(kind, (by,), (0,)) for kind, by in pieces], angle * (gate.global_shift + sympy.Rational(1, 2))


def _phased_xz(gate: Any) -> Translated:
    axis, x, z = PI * gate.axis_phase_exponent, PI * gate.x_exponent, PI * gate.z_exponent
    pieces = [(qk.RZGate, -axis), (qk.RXGate, x), (qk.RZGate, axis + z)]
    return [Piece(kind, (by,), (0,)) for kind, by in pieces], (x + z) / 2


def _global_phase(gate: Any) -> Translated:
    if isinstance(gate.coefficient, sympy.exp):
        return [], gate.coefficient.args[0] / sympy.I
    return [], sympy.arg(gate.coefficient) if cirq.is_parameterized(gate) else float(sympy.arg(gate.coefficient))


def _diagonal(gate: Any) -> Translated:
    """A phase for each basis state is a rotation about a product of Z for each set of wires, by the Walsh transform."""
    wires = cirq.num_qubits(gate)
    # Cirq has no public name for what the gate was made of; its unitary has the same angles up to full turns.
    angles = getattr(gate, "_diag_angles_radians", None)
    angles = np.angle(np.diag(cirq.unitary(gate))).tolist() if angles is None else angles
    places = range(2**wires)
    pieces: list[Piece] = []
    for subset in range(1, 2**wires):
        signs = [-1 if bin(subset & place).count("1") % 2 else 1 for place in places]
        angle = -2 * sum(sign * angle for sign, angle in zip(signs, angles, strict=True)) / 2**wires
        own = [wire for wire in range(wires) if subset >> (wires - 1 - wire) & 1]
        # CX gathers the parity on the last wire and takes it back.
        gathered = [Piece(qk.CXGate, (), pair) for pair in zip(own, own[1:], strict=False)]
        pieces += [*gathered, Piece(qk.RZGate, (angle,), (own[-1],)), *gathered[::-1]]
    return pieces, sum(angles) / 2**wires


# Family -> entry. Subclasses come before their parents.
GATES: dict[type, Callable[[Any], Translated]] = {
    cirq.IdentityGate: lambda gate: ([], 0),
    cirq.GlobalPhaseGate: _global_phase,
    cirq.XPowGate: _power(qk.RXGate, qk.XGate),
    cirq.YPowGate: _power(qk.RYGate, qk.YGate),
    cirq.ZPowGate: _power(qk.RZGate, qk.ZGate),
    cirq.HPowGate: _hadamard,
    cirq.XXPowGate: _power(qk.RXXGate, None, wires=2),
    cirq.YYPowGate: _power(qk.RYYGate, None, wires=2),
    cirq.ZZPowGate: _power(qk.RZZGate, None, wires=2),
    cirq.CXPowGate: _controlled_z(1, qk.CXGate, turned=True),
    cirq.CZPowGate: _controlled_z(1, qk.CZGate, turned=False),
    # Without a global shift these two are taken apart as controlled X and Z before (`quantum.controls`).
    cirq.CCXPowGate: _controlled_z(2, qk.CCXGate, turned=True),
    cirq.CCZPowGate: _controlled_z(2, qk.CCZGate, turned=False),
    cirq.SwapPowGate: _swap,
    cirq.ISwapPowGate: _iswap,
    cirq.PhasedISwapPowGate: _phased_iswap,
    cirq.FSimGate: _fsim,
    cirq.PhasedXPowGate: _phased_x,
    cirq.PhasedXZGate: _phased_xz,
    cirq.DiagonalGate: _diagonal,
    cirq.TwoQubitDiagonalGate: _diagonal,
    cirq.ThreeQubitDiagonalGate: _diagonal,
}
