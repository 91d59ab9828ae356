"""Fractional gates: RX and RZZ of any angle as gates of the device itself, RZZ from 0 to pi / 2 only.

A controlled RX is one RZZ of half its angle, where it takes two CZ. Angles outside of the interval are folded into it
with gates on one qubit: RZZ(t + pi) is RZZ(t) Z Z up to a phase, and X on one of the qubits turns t into -t. An angle
that depends on the data is another one for each row: its gate gets parameters of its own, whose values are computed
row by row.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qssl_tf.compiler.working_parts import couplers, is_laid_out, usable
from qssl_tf.errors import UserError

if TYPE_CHECKING:  # Qiskit is loaded on first use
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterExpression
    from qiskit.transpiler import Target

BOUNDED = "rzz"  # the gate whose angle has bounds
PREFIX = "fold"  # of the parameters' names


class Fold(NamedTuple):
    """A fractional gate whose angle depends on the data.

    Attributes:
        name: Prefix of its parameters: NAME_z and NAME_x, the angles of RZ and RX beside it, and NAME_zz, its own.
        angle: The angle that it stands for.
    """

    name: str
    angle: ParameterExpression


def has_fractional_gates(target: Target) -> bool:
    """Return whether a target has RX and RZZ."""
    return {"rx", BOUNDED} <= set(target.operation_names)


def can_be_fractional(backend: Any) -> bool:
    """Return whether a backend is of the generation whose devices have fractional gates: that with CZ."""
    return is_laid_out(backend) and {"cz", "sx", "rz"} <= set(backend.target.operation_names)


def within_bounds(circuit: QuantumCircuit, target: Target) -> tuple[QuantumCircuit, tuple[Fold, ...]]:
    """Return a circuit whose RZZ have angles from 0 to pi / 2, equal to the given one up to a global phase.

    Args:
        circuit: In the gates of the target but for the angles.
        target: With RX and RZZ.

    Returns:
        The circuit, and the gates whose angles depend on its parameters: `with_folds` makes values of theirs.
    """
    from qiskit.transpiler import PassManager
    from qiskit.transpiler.passes import Optimize1qGatesDecomposition
    from qiskit_ibm_runtime.transpiler.passes import FoldRzzAngle

    bounded, folds = _with_parameters(circuit)
    return PassManager([FoldRzzAngle(), Optimize1qGatesDecomposition(target=target)]).run(bounded), folds


def _with_parameters(circuit: QuantumCircuit) -> tuple[QuantumCircuit, tuple[Fold, ...]]:
    """Return a circuit whose RZZ of unknown angle have parameters of their own."""
    from qiskit.circuit import Parameter, ParameterExpression

    folds: list[Fold] = []
    bounded = circuit.copy_empty_like()
    for item in circuit.data:
        angle = item.operation.params[0] if item.operation.name == BOUNDED else 0.0
        if not (isinstance(angle, ParameterExpression) and angle.parameters):
            bounded.append(item)
            continue
        fold = Fold(f"{PREFIX}_{len(folds):03d}", angle)
        z, x, zz = (Parameter(name) for name in _names(fold))
        for qubit in item.qubits:
            bounded.rz(z, qubit)
        bounded.rx(x, item.qubits[0])
        bounded.rzz(zz, *item.qubits)
        bounded.rx(-x, item.qubits[0])
        folds.append(fold)
    return bounded, tuple(folds)


def _names(fold: Fold) -> list[str]:
    return [f"{fold.name}_{kind}" for kind in ("z", "x", "zz")]


def with_folds(folds: Sequence[Fold], names: Sequence[str], rows: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the parameters of a compiled circuit and their values.

    Args:
        folds: Of the circuit.
        names: Parameters of the head, in the order of the columns.
        rows: Their values in radians, shape (n, parameters).

    Returns:
        All names, those of the folds last, and their values, shape (n, names).
    """
    columns = [rows]
    for fold in folds:
        columns.append(np.stack(_folded(_values(fold.angle, names, rows)), axis=1))
    return [*names, *(name for fold in folds for name in _names(fold))], np.hstack(columns)


def _values(angle: ParameterExpression, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """Return the value of an expression for each row."""
    import sympy

    # Their names may be words of sympy's own, or no words of Python at all.
    symbols = [sympy.Symbol(name) for name in names]
    function = sympy.lambdify(symbols, angle.sympify(), "numpy", dummify=True)
    return np.broadcast_to(function(*np.asarray(rows, float).T), len(rows))


def _folded(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the angles of RZ on both qubits, of RX around, and of RZZ, that together are RZZ of the given angles."""
    turned = np.mod(angles, 2 * np.pi)
    half = turned >= np.pi  # RZZ(t) = RZZ(t - pi) Z Z up to a phase
    left = turned - np.pi * half
    late = left > np.pi / 2  # RZZ(t) = X RZZ(pi - t) X Z Z up to a phase
    bounded = np.clip(np.where(late, np.pi - left, left), 0, np.pi / 2)
    return np.pi * (half ^ late), np.pi * late, bounded


def check_bounds(circuit: QuantumCircuit, target: Target, names: Sequence[str], rows: np.ndarray, name: str) -> None:
    """Refuse a circuit with an angle that the device does not take, for any of its rows.

    Args:
        circuit: Compiled.
        target: The device's.
        names: Parameters in the order of the columns.
        rows: Their values in radians, shape (n, parameters).
        name: The device's.

    Raises:
        UserError: It names the gate, its qubits and the angle.
    """
    if not target.has_angle_bounds():
        return
    for item in circuit.data:
        gate = item.operation.name
        if gate not in target.operation_names or not target.gate_has_angle_bounds(gate):
            continue
        values = [np.atleast_1d(_angle(angle, names, rows)) for angle in item.operation.params]
        for extreme in (np.min, np.max):
            angles = [float(extreme(value)) for value in values]
            if not target.supported_angle_bound(gate, angles):
                place = [circuit.find_bit(qubit).index for qubit in item.qubits]
                raise UserError(
                    f"`backend` {name} takes no {gate} of {angles[0]:.4f} radians, which the circuit has on qubits "
                    f"{place}; start a new device run."
                )


def check_gates(circuit: QuantumCircuit, backend: Any, name: str) -> None:
    """Refuse a circuit with RZZ for a device without it, where a simulation would run it without noise.

    Raises:
        UserError: It says so.
    """
    if is_laid_out(backend) and BOUNDED in circuit.count_ops() and BOUNDED not in backend.target.operation_names:
        raise UserError(f"`backend` {name} has no {BOUNDED}, which the circuit has; start a new device run.")


def _angle(angle: Any, names: Sequence[str], rows: np.ndarray) -> Any:
    return _values(angle, names, rows) if getattr(angle, "parameters", None) else float(angle)


class WithFractionalGates:
    """A snapshot with RX and RZZ that its calibration does not know: they err and last as its own gates do."""

    version = 2  # of Qiskit's interface

    def __init__(self, backend: Any):
        """Take from `backend` all it has, RX as its SX and RZZ as its CZ."""
        from qiskit.circuit import Parameter
        from qiskit.circuit.library import RXGate, RZZGate

        self.name, self.num_qubits, self.coupling_map = backend.name, backend.num_qubits, backend.coupling_map
        self.properties, self.dt = getattr(backend, "properties", None), backend.target.dt
        self.target = copy.deepcopy(backend.target)
        angle = Parameter("angle")
        pairs = {tuple(sorted(pair)): entry for pair, entry in couplers(usable(backend)).items()}
        self.target.add_instruction(RXGate(angle), dict(self.target["sx"]))
        self.target.add_instruction(RZZGate(angle), pairs, angle_bounds=[(0.0, math.pi / 2)])
        self.operation_names = list(self.target.operation_names)
