"""A circuit in which each parametrized gate has a symbol of its own, which is what shift rules turn one by one."""

import math
from dataclasses import dataclass

import cirq
import numpy as np
import sympy

from qssl_tf.errors import UserError
from qssl_tf.quantum.controls import taken_apart, under

# Gates exp(-i angle/2 P) up to a phase, P a product of Pauli matrices: the angle is pi times the exponent.
ROTATIONS = (cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate, cirq.XXPowGate, cirq.YYPowGate, cirq.ZZPowGate)


@dataclass(frozen=True)
class SplitCircuit:
    """A circuit and how the angles of its gates come from the original symbols.

    Attributes:
        operations: In order; gate g has the symbol `names[g]`, an angle in radians.
        names: In the order of the gates.
        matrix: Shape (symbols, gates): angles = values @ matrix + offset.
        offset: Shape (gates,), in radians.
        controlled: Whether each gate is controlled, shape (gates,).
    """

    operations: tuple[cirq.Operation, ...]
    names: tuple[str, ...]
    matrix: np.ndarray
    offset: np.ndarray
    controlled: np.ndarray

    @property
    def circuit(self) -> cirq.Circuit:
        """The operations as a circuit."""
        return cirq.Circuit(self.operations)


def split(circuit: cirq.Circuit, symbols: tuple[sympy.Symbol, ...]) -> SplitCircuit:
    """Give each parametrized gate of `circuit` its own symbol.

    Args:
        circuit: Rotations about Pauli products, bare or with controls that wait for one value each, whose angles are
            linear in one symbol each.
        symbols: The order of the original symbols.

    Raises:
        UserError: A parametrized gate is of another kind.
    """
    place = {symbol: index for index, symbol in enumerate(symbols)}
    operations: list[cirq.Operation] = []
    slopes: list[np.ndarray] = []
    offsets: list[float] = []
    controlled: list[bool] = []
    for operation in circuit.all_operations():
        if not cirq.is_parameterized(operation):
            operations.append(operation)
            continue
        bare, controls, words = taken_apart(operation)
        kind = next((kind for kind in ROTATIONS if isinstance(bare.gate, kind)), None)
        if kind is None or len(words) > 1:
            raise UserError(f"shift rules need rotations about Pauli products; got {operation!r}.")
        (symbol,) = bare.gate.exponent.free_symbols
        angle = sympy.expand(bare.gate.exponent * sympy.pi)
        slope = np.zeros(len(symbols))
        slope[place[symbol]] = float(angle.coeff(symbol))
        own = sympy.Symbol(f"g_{len(slopes):05d}")
        turned = kind(exponent=own / sympy.pi, global_shift=bare.gate.global_shift)(*bare.qubits)
        operations.append(under(turned, controls, words[0]))
        slopes.append(slope)
        offsets.append(float(angle.subs(symbol, 0)))
        controlled.append(bool(controls))
    return SplitCircuit(
        tuple(operations),
        tuple(f"g_{index:05d}" for index in range(len(slopes))),
        np.array(slopes, np.float32).reshape(len(slopes), len(symbols)).T,
        np.array(offsets, np.float32),
        np.array(controlled, bool),
    )


HALF_PI = math.pi / 2
NEAR, FAR = (math.sqrt(2) + 1) / (4 * math.sqrt(2)), (math.sqrt(2) - 1) / (4 * math.sqrt(2))
# (shift in radians, coefficient). Rotations have eigenvalues ±1/2, frequencies 0 and 1: two terms (arXiv:1811.11184).
# Under control the eigenvalues are 0 and ±1/2, frequencies 0, 1/2 and 1: four terms (arXiv:2106.01388, Eq. 8).
TWO_TERMS = ((HALF_PI, 0.5), (-HALF_PI, -0.5))
FOUR_TERMS = ((HALF_PI, NEAR), (-HALF_PI, -NEAR), (3 * HALF_PI, -FAR), (-3 * HALF_PI, FAR))

SPSA_STEP = 0.1  # radians; the bias grows with its square, the shot noise with its inverse


def shift_terms(circuit: SplitCircuit, exact: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gate, shift (radians) and coefficient of each term of the gradient, shape (terms,) each.

    Args:
        circuit: The gates.
        exact: Take four terms for controlled gates; without it two, as the paper's published code does, which
            multiplies the half-frequency part of their gradient by sqrt(2).
    """
    terms = [
        (gate, shift, coefficient)
        for gate, controlled in enumerate(circuit.controlled)
        for shift, coefficient in (FOUR_TERMS if controlled and exact else TWO_TERMS)
    ]
    gates, shifts, coefficients = zip(*terms, strict=True)
    return np.array(gates, np.int32), np.array(shifts, np.float32), np.array(coefficients, np.float32)
