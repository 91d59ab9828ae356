"""What stands in an operation: a gate, its controls, and the values they wait for.

Cirq writes one controlled gate in many ways, and who reads only one of them runs another circuit. So all that read a
circuit, the simulators, the shift rules and the bridge, have it taken apart here.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cirq

# Gates that Cirq makes by itself of X, Z and SWAP under controls -> how many controls, and the gate of an exponent.
TWICE_CONTROLLED: dict[type, tuple[int, Callable[[Any], cirq.Gate]]] = {
    cirq.CCXPowGate: (2, lambda exponent: cirq.XPowGate(exponent=exponent)),
    cirq.CCZPowGate: (2, lambda exponent: cirq.ZPowGate(exponent=exponent)),
    cirq.CSwapGate: (1, lambda exponent: cirq.SWAP),
}


class Parts(NamedTuple):
    """An operation taken apart.

    Attributes:
        bare: It without tags and controls.
        controls: The qubits that control it.
        values: The assignments of the controls at which it acts, one word of 0 and 1 each; one empty word for an
            operation that nothing controls.
    """

    bare: Any
    controls: tuple[cirq.Qid, ...]
    values: tuple[tuple[int, ...], ...]


def taken_apart(operation: cirq.Operation) -> Parts:
    """Return the gate of an operation, its controls, and all assignments that they wait for."""
    bare: Any = operation.untagged
    controls: tuple[cirq.Qid, ...] = ()
    values: tuple[tuple[int, ...], ...] = ((),)
    while True:
        gate = bare.gate
        if isinstance(bare, cirq.ControlledOperation):
            own, waits, inner = bare.controls, bare.control_values, bare.sub_operation
        elif isinstance(gate, cirq.ControlledGate):
            count = gate.num_controls()
            own, waits, inner = bare.qubits[:count], gate.control_values, gate.sub_gate.on(*bare.qubits[count:])
        elif type(gate) in TWICE_CONTROLLED and getattr(gate, "global_shift", 0) == 0:
            count, target = TWICE_CONTROLLED[type(gate)]
            own, inner = bare.qubits[:count], target(getattr(gate, "exponent", 1)).on(*bare.qubits[count:])
            waits = cirq.ProductOfSums([(1,)] * count)
        else:
            return Parts(bare, controls, values)
        words = [tuple(int(value) for value in word) for word in waits.expand()]
        bare, controls = inner.untagged, (*controls, *own)
        values = tuple((*word, *more) for word in values for more in words)


def plain(operation: cirq.Operation) -> Iterator[cirq.Operation]:
    """Yield the same as operations that every simulator reads alike.

    TensorFlow Quantum reads of each control its first value only, knows no identity on several qubits, and refuses
    controlled gates with tags. What is yielded has no tags, controls that wait for one value each, identities on one
    qubit, and numbers where sympy has constants.
    """
    bare, controls, values = taken_apart(operation)
    if isinstance(bare.gate, cirq.IdentityGate):
        yield from cirq.I.on_each(*operation.qubits)
        return
    if cirq.is_parameterized(bare) and not cirq.parameter_names(bare):
        bare = cirq.resolve_parameters(bare, {"": 0.0})  # makes numbers of pi / 3 and the like
    # The gates of several assignments commute, for no state meets two of them.
    yield from (under(bare, controls, word) for word in values)


def under(bare: Any, controls: tuple[cirq.Qid, ...], word: tuple[int, ...]) -> cirq.Operation:
    """Return an operation under controls that wait for one value each.

    It gets a copy of the operation: TensorFlow Quantum notes controls in the operation that they control, and a second
    use of the same object, bare or under other controls, would get them too.
    """
    if not controls:
        return bare
    assert bare.gate is not None  # `taken_apart` leaves no operation without one
    return cirq.ControlledOperation(controls, bare.gate.on(*bare.qubits), word)
