"""The rival of the sampled benchmark runs the same circuit as ours."""

import cirq
import numpy as np
from heads import _decomposed

from qssl_tf.quantum.spec import circuit_spec


def test_the_decomposed_ring_is_the_ring():
    spec = circuit_spec(3, "ring", 2)
    made = _decomposed(spec.circuit)
    assert not any(isinstance(operation, cirq.ControlledOperation) for operation in made.all_operations())
    numbers = np.random.default_rng(0).normal(size=len(spec.inputs + spec.weights)).tolist()
    values = dict(zip(map(str, spec.inputs + spec.weights), numbers, strict=True))
    ours, theirs = (cirq.resolve_parameters(c, values).unitary(qubit_order=spec.qubits) for c in (spec.circuit, made))
    np.testing.assert_allclose(theirs, ours, atol=1e-7)
