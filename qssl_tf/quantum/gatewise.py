"""Circuits in which each parametrized gate has its own symbol, since shift rules shift one gate at a time."""

from dataclasses import dataclass

import cirq
import numpy as np
import sympy

from qssl_tf.errors import UserError
from qssl_tf.quantum.controls import split_controls, with_controls

# Gates exp(-i angle/2 P) up to a phase, P a product of Pauli matrices: the angle is pi times the exponent.
ROTATIONS = (cirq.XPowGate, cirq.YPowGate, cirq.ZPowGate, cirq.XXPowGate, cirq.YYPowGate, cirq.ZZPowGate)


@dataclass(frozen=True)
class GatewiseCircuit:
    """A circuit with one symbol per parametrized gate, and the map from the original symbols to its angles.

    Attributes:
        operations: In order; the symbol `names[g]` is the angle of gate g in radians.
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


def gatewise(circuit: cirq.Circuit, symbols: tuple[sympy.Symbol, ...]) -> GatewiseCircuit:
    """Give each parametrized gate of `circuit` its own symbol.

    Args:
        circuit: Its parametrized gates are rotations about Pauli products, possibly with one activation value for each
            control, and each angle is linear in one symbol.
        symbols: The order of the original symbols.

    Raises:
        UserError: A parametrized gate is of another kind.
    """
    column = {symbol: index for index, symbol in enumerate(symbols)}
    operations: list[cirq.Operation] = []
    slopes: list[np.ndarray] = []
    offsets: list[float] = []
    controlled: list[bool] = []
    for operation in circuit.all_operations():
        if not cirq.is_parameterized(operation):
            operations.append(operation)
            continue
        sub_operation, controls, assignments = split_controls(operation)
        kind = next((kind for kind in ROTATIONS if isinstance(sub_operation.gate, kind)), None)
        if kind is None or len(assignments) > 1:
            raise UserError(f"shift rules need rotations about Pauli products; got {operation!r}.")
        (symbol,) = sub_operation.gate.exponent.free_symbols
        angle = sympy.expand(sub_operation.gate.exponent * sympy.pi)
        slope = np.zeros(len(symbols))
        slope[column[symbol]] = float(angle.coeff(symbol))
        gate_symbol = sympy.Symbol(f"g_{len(slopes):05d}")
        rotation = kind(exponent=gate_symbol / sympy.pi, global_shift=sub_operation.gate.global_shift)(
            *sub_operation.qubits
        )
        operations.append(with_controls(rotation, controls, assignments[0]))
        slopes.append(slope)
        offsets.append(float(angle.subs(symbol, 0)))
        controlled.append(bool(controls))
    return GatewiseCircuit(
        tuple(operations),
        tuple(f"g_{index:05d}" for index in range(len(slopes))),
        np.array(slopes, np.float32).reshape(len(slopes), len(symbols)).T,
        np.array(offsets, np.float32),
        np.array(controlled, bool),
    )
