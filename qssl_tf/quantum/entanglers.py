"""A circuit without the gates that entangle its qubits, for asking what they are good for."""

from dataclasses import replace

import cirq

from qssl_tf.quantum.spec import CircuitSpec


def has_entanglers(spec: CircuitSpec) -> bool:
    """Return whether the ansatz of a circuit has a gate on two qubits or more."""
    return any(len(operation.qubits) > 1 for operation in spec.ansatz.all_operations())


def without_entanglers(spec: CircuitSpec) -> CircuitSpec:
    """Return a circuit whose ansatz has lost all gates on two qubits or more.

    Its encoding stays whole, also where that entangles. So do the weight symbols and their order, that it takes the
    weight vector of the whole circuit; the weights of what was taken away have no effect.
    """
    inputs = set(spec.inputs)

    def bare(block: cirq.Circuit) -> cirq.Circuit:
        if inputs & cirq.parameter_symbols(block):
            return block
        return cirq.Circuit(operation for operation in block.all_operations() if len(operation.qubits) == 1)

    return replace(spec, blocks=tuple(map(bare, spec.blocks)))
