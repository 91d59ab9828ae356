"""The twin of a device against Aer's density matrix of the same compiled circuit under the device's whole noise model.

Every qubit has an angle of its own and both weights and data are far from any symmetry, so that no order of bits, of
qubits or of symbols can hide.
"""

import numpy as np
import pytest
import tensorflow as tf
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, pauli_error

from qssl_tf.compiler.compile import READ
from qssl_tf.compiler.snapshots import readout_flips, snapshot
from qssl_tf.compiler.twin import twin
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.pauli_simulator import differentiated
from qssl_tf.quantum.spec import circuit_spec

ROUNDING = 1e-5  # of float32: a few hundred products of 16 x 16 matrices, whose entries are at most 1


def outcomes_by_aer(circuit, layout, backend):
    """Return the probability of each outcome of the qubits of a layout, the first one most significant."""
    bare = circuit.copy_empty_like()
    last = next(register for register in circuit.cregs if register.name == READ)
    for item in circuit.data:
        if item.operation.name == "measure" and item.clbits[0] not in last:
            # Aer would draw an outcome; discarded, it is a Z half of the time.
            bare.append(pauli_error([("I", 0.5), ("Z", 0.5)]).to_instruction(), item.qubits)
        elif item.operation.name not in ("barrier", "measure"):
            bare.append(item)
    bare.save_probabilities(layout[::-1])  # Qiskit's first qubit is the least significant
    model = NoiseModel.from_backend(backend)  # of the whole device
    simulator = AerSimulator(method="density_matrix", noise_model=model, fusion_enable=False)
    chances = simulator.run(bare).result().data()["probabilities"].reshape([2] * len(layout))
    flips = readout_flips(backend)
    for axis, place in enumerate(layout):
        both = backend.target["measure"][(place,)].error
        gained, lost = flips.get(place, (both, both))
        confusion = np.array([[1 - gained, lost], [gained, 1 - lost]])
        chances = np.moveaxis(np.tensordot(confusion, chances, (1, axis)), 0, axis)
    return chances.ravel()


def expectations_by_aer(spec, name, angles, weights):
    """Return the expectations of one row."""
    found = twin(spec, name).compiled
    values = dict(zip(map(str, spec.inputs + spec.weights), [*angles, *weights], strict=True))
    bound = found.circuit.assign_parameters({p: float(values[p.name]) for p in found.circuit.parameters})
    chances = outcomes_by_aer(bound, found.layout, snapshot(name))
    bits = np.array(list(np.ndindex(*[2] * len(spec.qubits))))  # (2^width, width)
    signs = 1 - 2 * ((bits @ support_mask(spec.observables, spec.qubits)) % 2)
    return chances @ signs, chances


def drawn(spec, rows=2, seed=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 3.0, (rows, len(spec.inputs))), rng.uniform(-3, 3, len(spec.weights))


CASES = [
    ("fake_paris", {"width": 8}),
    ("fake_paris", {"width": 5, "ansatz": "all_to_all", "encoding": "angle_y", "measure": "z_zz"}),
    ("fake_marrakesh", {"width": 4, "ansatz": "sim13", "layers": 1, "measure": "X0,Y1Z2,X0Z3"}),
    ("fake_brooklyn", {"width": 4, "ansatz": "strongly_entangling"}),
    ("fake_sherbrooke", {"width": 3, "mid_circuit_measurement": True}),  # ECR gates
]


@pytest.mark.parametrize(("name", "circuit"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_expectations_are_those_of_aers_density_matrix(name, circuit):
    spec = circuit_spec(**circuit)
    angles, weights = drawn(spec)
    run = differentiated(twin(spec, name).simulation)
    found = run(tf.constant(angles, tf.float32), tf.constant(weights, tf.float32), tf.zeros(2, tf.int32), 0).numpy()
    for row, values in zip(angles, found, strict=True):
        np.testing.assert_allclose(values, expectations_by_aer(spec, name, row, weights)[0], atol=ROUNDING)
