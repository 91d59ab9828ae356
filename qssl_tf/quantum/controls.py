"""Operations split into a gate, its controls, and the control values that activate it.

Cirq can represent the same controlled gate in many ways, and code that handles only one of them silently runs another
circuit. So everything that reads circuits (simulators, shift rules, the Qiskit bridge) splits operations here.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cirq

# Gates that Cirq substitutes for controlled X, Z and SWAP -> number of controls, and the gate for an exponent.
BUILTIN_CONTROLLED: dict[type, tuple[int, Callable[[Any], cirq.Gate]]] = {
    cirq.CCXPowGate: (2, lambda exponent: cirq.XPowGate(exponent=exponent)),
    cirq.CCZPowGate: (2, lambda exponent: cirq.ZPowGate(exponent=exponent)),
    cirq.CSwapGate: (1, lambda exponent: cirq.SWAP),
}


class ControlledParts(NamedTuple):
    """An operation, split.

    Attributes:
        sub_operation: The operation without tags and controls.
        controls: The qubits that control it.
        values: The assignments of 0 and 1 to the controls that activate it; a single empty one if nothing controls it.
    """

    sub_operation: Any
    controls: tuple[cirq.Qid, ...]
    values: tuple[tuple[int, ...], ...]


def split_controls(operation: cirq.Operation) -> ControlledParts:
    """Return the gate of an operation, its controls, and all assignments that activate it."""
    current: Any = operation.untagged
    controls: tuple[cirq.Qid, ...] = ()
    values: tuple[tuple[int, ...], ...] = ((),)
    while True:
        gate = current.gate
        if isinstance(current, cirq.ControlledOperation):
            new_controls, control_values, inner = current.controls, current.control_values, current.sub_operation
        elif isinstance(gate, cirq.ControlledGate):
            count = gate.num_controls()
            new_controls, control_values = current.qubits[:count], gate.control_values
            inner = gate.sub_gate.on(*current.qubits[count:])
        elif type(gate) in BUILTIN_CONTROLLED and getattr(gate, "global_shift", 0) == 0:
            count, uncontrolled = BUILTIN_CONTROLLED[type(gate)]
            inner = uncontrolled(getattr(gate, "exponent", 1)).on(*current.qubits[count:])
            new_controls = current.qubits[:count]
            control_values = cirq.ProductOfSums([(1,)] * count)
        else:
            return ControlledParts(current, controls, values)
        assignments = [tuple(int(value) for value in assignment) for assignment in control_values.expand()]
        current, controls = inner.untagged, (*controls, *new_controls)
        values = tuple((*assignment, *new_values) for assignment in values for new_values in assignments)


def normalized(operation: cirq.Operation) -> Iterator[cirq.Operation]:
    """Yield equivalent operations that every simulator reads the same way.

    TensorFlow Quantum reads only the first value of each control, has no identity on several qubits, and rejects
    controlled gates with tags. The yielded operations have no tags, one value for each control, single-qubit
    identities, and numbers in place of sympy's constants.
    """
    sub_operation, controls, values = split_controls(operation)
    if isinstance(sub_operation.gate, cirq.IdentityGate):
        yield from cirq.I.on_each(*operation.qubits)
        return
    if cirq.is_parameterized(sub_operation) and not cirq.parameter_names(sub_operation):
        sub_operation = cirq.resolve_parameters(sub_operation, {"": 0.0})  # turns pi / 3 and the like into numbers
    # The gates commute: no basis state matches two assignments.
    yield from (with_controls(sub_operation, controls, assignment) for assignment in values)


def with_controls(sub_operation: Any, controls: tuple[cirq.Qid, ...], assignment: tuple[int, ...]) -> cirq.Operation:
    """Return the operation with controls, each activated by one value.

    The operation is copied: TensorFlow Quantum stores controls in the operation object that they control, so a second
    use of the same object, without controls or with others, would inherit them.
    """
    if not controls:
        return sub_operation
    assert sub_operation.gate is not None  # every operation that `split_controls` returns has one
    return cirq.ControlledOperation(controls, sub_operation.gate.on(*sub_operation.qubits), assignment)
