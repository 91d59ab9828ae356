"""Cirq to Qiskit: a pure translator that keeps symbols, global phases and the order of the qubits.

A symbol is known by its name, as in Cirq: symbols of one name are one parameter, whatever sympy assumes of them.

Qubit i of the given order becomes Qiskit's qubit i. Cirq calls the first qubit the most significant bit of a state's
index and Qiskit the least: unitaries and bit strings of the result read backwards, and `device.counts` turns them.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import cirq
import numpy as np
import sympy
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterExpression
from qiskit.circuit import library as qk

from qssl_tf.arguments import checks_arguments
from qssl_tf.compiler.gates import GATES, Piece, Translated
from qssl_tf.errors import UserError, pass_on_interrupt
from qssl_tf.quantum.controls import split_controls
from qssl_tf.quantum.noise import DEPHASING
from qssl_tf.quantum.spec import CircuitSpec

MAX_UNITARY = 3  # qubits of a gate that is known only by its matrix
BETWEEN = "between"  # the register of a measurement between layers, whose outcomes nobody reads
# What sympy's functions are on Qiskit's expressions.
FUNCTIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: lambda *terms: reduce(operator.add, terms),
    sympy.Mul: lambda *factors: reduce(operator.mul, factors),
    sympy.Pow: operator.pow,
} | {function: operator.methodcaller(name) for function, name in (
    (sympy.sin, "sin"), (sympy.cos, "cos"), (sympy.tan, "tan"), (sympy.asin, "arcsin"), (sympy.acos, "arccos"),
    (sympy.atan, "arctan"), (sympy.exp, "exp"), (sympy.log, "log"), (sympy.Abs, "abs"), (sympy.sign, "sign"),
)}  # fmt: skip


@checks_arguments
def to_qiskit(
    circuit: cirq.Circuit, qubits: Sequence[cirq.Qid] | None = None
) -> tuple[QuantumCircuit, dict[str, Parameter]]:
    """Translate a circuit without measurements that anybody reads.

    Args:
        circuit: Gates of `GATES`, bare or under controls, circuit operations, unitaries of up to three qubits, and what
            Cirq decomposes into those. Tags are dropped. Full dephasing (`noise.DEPHASING`), a measurement whose
            outcome is not kept, becomes a measurement into a register of its own, `between`.
        qubits: All qubits, in the order of Qiskit's; those without a gate stay. None is those that have gates, sorted.

    Returns:
        The circuit, whose unitary is Cirq's to the global phase, and its parameter for each symbol's name.

    Raises:
        UserError: An operation that cannot be translated; it names the operation.
    """
    qubits = sorted(circuit.all_qubits()) if qubits is None else qubits
    if missing := circuit.all_qubits() - set(qubits):
        raise UserError(
            f"`qubits` must hold every qubit of the circuit; it lacks {', '.join(map(str, sorted(missing)))}."
        )
    if twice := [str(qubit) for qubit, count in Counter(qubits).items() if count > 1]:
        raise UserError(f"`qubits` must hold each qubit once; it holds {', '.join(twice)} more than once.")
    if large := [qubit for qubit in qubits if qubit.dimension != 2]:
        raise UserError(f"`qubits` must have two levels each; {large[0]} has {large[0].dimension}.")
    names = sorted(cirq.parameter_names(circuit))
    parameters = {name: Parameter(name) for name in names}
    translated = QuantumCircuit(len(qubits))
    wire = {qubit: number for number, qubit in enumerate(qubits)}
    if count := sum(operation.gate == DEPHASING for operation in circuit.all_operations()):
        translated.add_register(ClassicalRegister(count, BETWEEN))
    free = iter(translated.clbits)
    for operation in circuit.all_operations():
        if operation.gate == DEPHASING:
            translated.measure(wire[operation.qubits[0]], next(free))
        else:
            _append(translated, operation, wire, parameters)
    return translated, parameters


def translated(spec: CircuitSpec, weights: np.ndarray) -> QuantumCircuit:
    """Return a head's circuit in Qiskit, its weights bound and its data as parameters, in the measured basis.

    A measurement between layers is one there too.
    """
    return to_qiskit(spec.bind(weights), spec.qubits)[0]


def _append(to: QuantumCircuit, operation: cirq.Operation, wire: Mapping[cirq.Qid, int], parameters: Any) -> None:
    """Append one operation."""
    pieces, phase = _pieces(operation)
    for piece in pieces:
        gate = piece.kind(*(expression(angle, parameters) for angle in piece.angles))
        to.append(gate, [wire[operation.qubits[own]] for own in piece.wires])
    to.global_phase += expression(phase, parameters)


def _pieces(operation: cirq.Operation) -> Translated:
    """Return the Qiskit gates of an operation on its own wires, and its phase."""
    operation, controls, words = split_controls(operation)
    if controls:
        pieces, phase = _pieces(operation)
        return [piece for word in words for piece in _controlled(pieces, phase, word)], 0
    if isinstance(operation, cirq.CircuitOperation):
        return _together(operation.qubits, operation.mapped_circuit(deep=True).all_operations())
    for family, entry in GATES.items():
        if isinstance(operation.gate, family):
            return entry(operation.gate)
    if cirq.is_measurement(operation) or isinstance(operation, cirq.ClassicallyControlledOperation):
        raise _unknown(operation)
    if len(operation.qubits) <= MAX_UNITARY and not cirq.is_parameterized(operation) and cirq.has_unitary(operation):
        matrix = cirq.unitary(operation)
        # Qiskit's first wire is the least significant bit of a matrix.
        return [Piece(lambda: qk.UnitaryGate(matrix), (), tuple(range(len(operation.qubits)))[::-1])], 0
    return _together(operation.qubits, _decomposed(operation))


def _decomposed(operation: cirq.Operation) -> Sequence[cirq.Operation]:
    """Return what Cirq makes of an operation, once it is known to be the same."""
    try:
        parts = cirq.decompose_once(operation, default=None)
        if parts is not None and _is_same(operation, parts):
            return parts
    except Exception as error:  # Cirq's gates fail in ways of their own where a symbol stands in a number's place
        pass_on_interrupt(error)
        raise _unknown(operation) from None
    raise _unknown(operation)


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


def _controlled(pieces: Sequence[Piece], phase: Any, values: tuple[int, ...]) -> list[Piece]:
    """Return pieces under controls that wait for one value each; their phase becomes a phase gate on the controls."""
    count = len(values)
    held, word = tuple(range(count)), "".join(map(str, values[::-1]))  # Qiskit's word has the last control first
    under = [
        Piece(_with_controls(piece.kind, count, word), piece.angles, (*held, *(count + own for own in piece.wires)))
        for piece in pieces
    ]
    if phase == 0:
        return under
    flips = [Piece(qk.XGate, (), (own,)) for own, value in enumerate(values) if value == 0]
    kind = _with_controls(qk.PhaseGate, count - 1, "1" * (count - 1)) if count > 1 else qk.PhaseGate
    return [*under, *flips, Piece(kind, (phase,), held), *flips]


def _with_controls(kind: Callable[..., Gate], count: int, word: str) -> Callable[..., Gate]:
    return lambda *angles: kind(*angles).control(count, ctrl_state=word, annotated=False)


def _is_same(operation: cirq.Operation, parts: Sequence[cirq.Operation]) -> bool:
    """Whether the parts have the operation's unitary, phase included, at random values of its symbols."""
    names = sorted(cirq.parameter_names(operation))
    values = dict(zip(names, np.random.default_rng(0).uniform(-2, 2, len(names)).tolist(), strict=True))
    whole = cirq.unitary(cirq.resolve_parameters(operation, values), default=None)
    if whole is None:
        return False
    circuit = cirq.resolve_parameters(cirq.Circuit(parts), values)
    product = circuit.unitary(qubit_order=operation.qubits, qubits_that_should_be_present=operation.qubits)
    return bool(np.allclose(product, whole, atol=1e-7))


def _unknown(operation: cirq.Operation) -> UserError:
    return UserError(
        f"to_qiskit cannot translate {operation}; write it with gates of qssl_tf.compiler.gates.GATES, or as a "
        f"unitary on at most {MAX_UNITARY} qubits."
    )


def expression(value: Any, parameters: Mapping[str, Parameter]) -> float | ParameterExpression:
    """Return a number, or a sympy expression as one of Qiskit's parameters.

    Raises:
        UserError: A function that Qiskit's expressions do not have, or a value that is not real.
    """
    value = sympy.sympify(value)
    value = sympy.expand(value.xreplace({symbol: sympy.Symbol(symbol.name) for symbol in value.free_symbols}))
    return _written(value, value, parameters)


def _written(value: sympy.Expr, whole: sympy.Expr, parameters: Mapping[str, Parameter]) -> Any:
    """Return a part of the expression `whole`, node by node: a text of it would read some names as words of its own."""
    if not value.free_symbols:
        if not value.is_real:
            raise UserError(f"angles must be real numbers of radians; got {whole}.")
        return float(value)
    if isinstance(value, sympy.Symbol):
        return parameters[value.name]
    if type(value) not in FUNCTIONS:
        raise UserError(f"to_qiskit cannot write {whole} with Qiskit's parameters, which have no {value.func}.")
    return FUNCTIONS[type(value)](*(_written(part, whole, parameters) for part in value.args))
