"""Which weights of a circuit an overlap of two of its states depends on: most circuits in use here lose all of them.

Both states pass the same gates, so gates without data at the end of the circuit cancel in
|<psi(x)|psi(y)>|^2 = |<0|S(x)^+ W^+ W S(y)|0>|^2 = |<0|S(x)^+ S(y)|0>|^2, whatever the weights of W are.
"""

from collections.abc import Sequence

import cirq
import sympy

from qssl_tf.commands import argument
from qssl_tf.errors import UserError
from qssl_tf.quantum.spec import CircuitSpec

# What is left of the overlap where everything behind the data cancels, as far as there is a short formula.
LEFT = {"angle": ", which leaves prod cos^2((x-y)/2)", "angle_y": ", which leaves prod cos^2((x-y)/2)"}


def weights_in_overlaps(spec: CircuitSpec, kept: Sequence[int] = ()) -> tuple[sympy.Symbol, ...]:
    """Return the weights on which the overlap of the kept qubits' states depends, in their order.

    From the end of the circuit on, a gate cancels if nothing that stays stands behind it and it acts within the kept
    qubits or within the others: on the former both states are turned alike, so it must not depend on data; on the
    latter any gate leaves the traced state as it is.

    Args:
        spec: The circuit.
        kept: Qubits whose states are compared; none given are all.
    """
    compared = {spec.qubits[qubit] for qubit in kept} or set(spec.qubits)
    data, staying_on, names = set(spec.inputs), set[cirq.Qid](), set[sympy.Basic]()
    for operation in reversed(list(spec.circuit.all_operations())):
        qubits, symbols = set(operation.qubits), cirq.parameter_symbols(operation)
        is_apart = not qubits & compared
        cancels = not qubits & staying_on and (is_apart or (qubits <= compared and not symbols & data))
        if not cancels:
            staying_on |= qubits
            names |= symbols
    return tuple(symbol for symbol in spec.weights if symbol in names)


def refuse_cancelled(spec: CircuitSpec, kept: Sequence[int] = ()) -> None:
    """Refuse a circuit with weights of which an overlap depends on none, so that none would get a gradient.

    Args:
        spec: The circuit.
        kept: Qubits whose states are compared; none given are all.

    Raises:
        UserError: With the reason and what can be taken instead.
    """
    if not spec.weights or weights_in_overlaps(spec, kept):
        return
    where = "all gates with weights" if not kept else "all gates with weights that reach the kept qubits"
    raise UserError(
        f"an overlap of states would train no weight of this circuit: {where} stand behind the encoding "
        f"'{spec.encoding_name}' and turn both states alike, so they cancel in |<0|S(x)^+ W^+ W S(y)|0>|^2"
        f"{'' if kept else LEFT.get(spec.encoding_name, '')}; take {argument('encoding', 'reuploading')} with two "
        f"layers or more, {argument('overlap_qubits')} that leave out qubits entangled with those kept, or "
        f"{argument('train_head', False)} to train the encoder alone."
    )
