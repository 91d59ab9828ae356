"""Cirq to Qiskit: a pure translator that keeps symbols, global phases and the order of the qubits.

Qubit i of the given order becomes Qiskit's qubit i. Cirq calls the first qubit the most significant bit of a state's
index and Qiskit the least: unitaries and bit strings of the result read backwards, and `hardware.counts` turns them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import cirq
import numpy as np
import sympy
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterExpression
from qiskit.circuit import library as qk

from qssl_tf.errors import UserError
from qssl_tf.hardware.gates import GATES, Piece, Translated

MAX_UNITARY = 3  # qubits of a gate that is known only by its matrix
# What sympy's functions are on Qiskit's expressions, which have methods instead.
FUNCTIONS = {name: (lambda x, own=own: getattr(x, own)()) for name, own in (
    ("sin", "sin"), ("cos", "cos"), ("tan", "tan"), ("asin", "arcsin"), ("acos", "arccos"), ("atan", "arctan"),
    ("exp", "exp"), ("log", "log"), ("Abs", "abs"),
)}  # fmt: skip


def to_qiskit(circuit: cirq.Circuit, qubits: Sequence[cirq.Qid]) -> tuple[QuantumCircuit, dict[str, Parameter]]:
    """Translate a circuit without measurements.

    Args:
        circuit: Gates of `GATES`, bare or under controls, circuit operations, unitaries of up to three qubits, and what
            Cirq decomposes into those. Tags are dropped.
        qubits: All qubits, in the order of Qiskit's; those without a gate stay.

    Returns:
        The circuit, whose unitary is Cirq's to the global phase, and its parameter for each symbol's name.

    Raises:
        UserError: An operation that cannot be translated; it names the operation.
    """
    if missing := circuit.all_qubits() - set(qubits):
        raise UserError(
            f"`qubits` must hold every qubit of the circuit; it lacks {', '.join(map(str, sorted(missing)))}."
        )
    names = sorted(cirq.parameter_names(circuit))
    parameters = {name: Parameter(name) for name in names}
    translated = QuantumCircuit(len(qubits))
    wire = {qubit: number for number, qubit in enumerate(qubits)}
    for operation in circuit.all_operations():
        _append(translated, operation, wire, parameters)
    return translated, parameters


def _append(to: QuantumCircuit, operation: cirq.Operation, wire: Mapping[cirq.Qid, int], parameters: Any) -> None:
    """Append one operation."""
    pieces, phase = _pieces(operation)
    for piece in pieces:
        gate = piece.kind(*(expression(angle, parameters) for angle in piece.angles))
        to.append(gate, [wire[operation.qubits[own]] for own in piece.wires])
    to.global_phase += expression(phase, parameters)


def _pieces(operation: cirq.Operation) -> Translated:
    """Return the Qiskit gates of an operation on its own wires, and its phase."""
    operation = operation.untagged
    if isinstance(operation, cirq.CircuitOperation):
        return _together(operation.qubits, operation.mapped_circuit(deep=True).all_operations())
    if split := _controls(operation):
        return _controlled(*split)
    for family, entry in GATES.items():
        if isinstance(operation.gate, family):
            return entry(operation.gate)
    if cirq.is_measurement(operation) or isinstance(operation, cirq.ClassicallyControlledOperation):
        raise _unknown(operation)
    if len(operation.qubits) <= MAX_UNITARY and not cirq.is_parameterized(operation) and cirq.has_unitary(operation):
        matrix = cirq.unitary(operation)
        # Qiskit's first wire is the least significant bit of a matrix.
        return [Piece(lambda: qk.UnitaryGate(matrix), (), tuple(range(len(operation.qubits)))[::-1])], 0
    parts = cirq.decompose_once(operation, default=None)
    if parts is None or not _is_same(operation, parts):
        raise _unknown(operation)
    return _together(operation.qubits, parts)


def _together(qubits: Sequence[cirq.Qid], parts: Iterable[cirq.Operation]) -> Translated:
    """Return the pieces of several operations on the wires of `qubits`."""
    place = {qubit: number for number, qubit in enumerate(qubits)}
    pieces: list[Piece] = []
    phase: Any = 0
    for part in parts:
        inner, inner_phase = _pieces(part)
        pieces += [piece._replace(wires=tuple(place[part.qubits[own]] for own in piece.wires)) for piece in inner]
        phase += inner_phase
    return pieces, phase


def _controls(operation: cirq.Operation) -> tuple[cirq.Operation, tuple[int, ...]] | None:
    """Return what an operation controls and the values its controls wait for; None if it is not controlled."""
    gate = operation.gate
    if isinstance(operation, cirq.ControlledOperation):
        values, inner = operation.control_values, operation.sub_operation
    elif isinstance(gate, cirq.ControlledGate):
        values, inner = gate.control_values, gate.sub_gate.on(*operation.qubits[gate.num_controls() :])
    else:
        return None
    expanded = list(values.expand())
    if len(expanded) != 1 or not set(expanded[0]) <= {0, 1}:
        raise UserError(f"the bridge takes controls that wait for one value each; got {operation}.")
    return inner, tuple(expanded[0])


def _controlled(inner: cirq.Operation, values: tuple[int, ...]) -> Translated:
    """Return the pieces of `inner` under controls; its phase becomes a phase gate on them."""
    pieces, phase = _pieces(inner)
    count = len(values)
    held, word = tuple(range(count)), "".join(map(str, values[::-1]))  # Qiskit's word has the last control first
    under = [
        Piece(_with_controls(piece.kind, count, word), piece.angles, (*held, *(count + own for own in piece.wires)))
        for piece in pieces
    ]
    if phase == 0:
        return under, 0
    flips = [Piece(qk.XGate, (), (own,)) for own, value in enumerate(values) if value == 0]
    kind = _with_controls(qk.PhaseGate, count - 1, "1" * (count - 1)) if count > 1 else qk.PhaseGate
    return [*under, *flips, Piece(kind, (phase,), held), *flips], 0


def _with_controls(kind: Callable[..., Gate], count: int, word: str) -> Callable[..., Gate]:
    return lambda *angles: kind(*angles).control(count, ctrl_state=word, annotated=False)


def _is_same(operation: cirq.Operation, parts: Sequence[cirq.Operation]) -> bool:
    """Whether the parts have the operation's unitary, phase included, at random values of its symbols."""
    names = sorted(cirq.parameter_names(operation))
    values = dict(zip(names, np.random.default_rng(0).uniform(-2, 2, len(names)).tolist(), strict=True))
    whole = cirq.unitary(cirq.resolve_parameters(operation, values), default=None)
    if whole is None:
        return False
    made = cirq.resolve_parameters(cirq.Circuit(parts), values)
    found = made.unitary(qubit_order=operation.qubits, qubits_that_should_be_present=operation.qubits)
    return bool(np.allclose(found, whole, atol=1e-7))


def _unknown(operation: cirq.Operation) -> UserError:
    return UserError(
        f"the bridge cannot translate {operation}; write it with gates of qssl_tf.hardware.gates.GATES, or as a "
        f"unitary on at most {MAX_UNITARY} qubits."
    )


def expression(value: Any, parameters: Mapping[str, Parameter]) -> float | ParameterExpression:
    """Return a number, or a sympy expression as one of Qiskit's parameters.

    Raises:
        UserError: A function that Qiskit's expressions do not have, or a value that is not real.
    """
    value = sympy.expand(sympy.sympify(value))
    names = sorted(str(symbol) for symbol in value.free_symbols)
    if not names:
        if not value.is_real:
            raise UserError(f"angles of the bridge must be real numbers of radians; got {value}.")
        return float(value)
    try:
        function = sympy.lambdify([sympy.Symbol(name) for name in names], value, modules=[FUNCTIONS, "math"])
        return function(*(parameters[name] for name in names))
    except (TypeError, AttributeError, NameError, KeyError) as error:
        raise UserError(f"the bridge cannot write {value} with Qiskit's parameters ({error}).") from None
