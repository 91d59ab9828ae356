"""The twin of a device against Aer's density matrix of the same compiled circuit under the device's whole noise model.

Every qubit has an angle of its own and both weights and data are far from any symmetry, so that no order of bits, of
qubits or of symbols can hide.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, pauli_error

from qssl_tf.compiler.compiled import READ
from qssl_tf.compiler.snapshots import readout_flips, snapshot, snapshot_names
from qssl_tf.compiler.twin import twin
from qssl_tf.errors import UserError
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.observables import support_mask
from qssl_tf.quantum.pauli_simulator import differentiated
from qssl_tf.quantum.spec import circuit_spec

ROUNDING = 1e-5  # of float32: a few hundred products of 16 x 16 matrices, whose entries are at most 1


@functools.cache
def whole_model(name):
    """Return Aer's own noise model of all qubits of a device."""
    return NoiseModel.from_backend(snapshot(name))


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
    simulator = AerSimulator(method="density_matrix", noise_model=whole_model(backend.name), fusion_enable=False)
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
    ("fake_prague", {"width": 4, "ansatz": "sim13", "layers": 1, "measure": "X0,Y1Z2,X0Z3"}),  # CZ gates
    ("fake_brooklyn", {"width": 4, "ansatz": "strongly_entangling"}),
    ("fake_sherbrooke", {"width": 3, "mid_circuit_measurement": True}),  # ECR gates
    ("fake_johannesburg", {"width": 4}),  # U1, U2 and U3 gates
    ("fake_fractional", {"width": 3, "encoding": "angle_y"}),  # RX and RZZ of any angle
]


@pytest.mark.parametrize(("name", "circuit"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_expectations_are_those_of_aers_density_matrix(name, circuit):
    spec = circuit_spec(**circuit)
    angles, weights = drawn(spec)
    run = differentiated(twin(spec, name).simulation)
    found = run(tf.constant(angles, tf.float32), tf.constant(weights, tf.float32), tf.zeros(2, tf.int32), 0).numpy()
    for row, values in zip(angles, found, strict=True):
        np.testing.assert_allclose(values, expectations_by_aer(spec, name, row, weights)[0], atol=ROUNDING)


@pytest.mark.parametrize("name", snapshot_names())
def test_every_snapshot_has_a_twin(name):
    spec, backend = circuit_spec(3, "ring", 1), snapshot(name)
    if backend.num_qubits < 3:
        with pytest.raises(
            UserError, match=f"`noise` must name a device with at least 3 qubits for this run; {name} has 1."
        ):
            twin(spec, name)
        return
    angles, weights = drawn(spec, rows=1)
    run = differentiated(twin(spec, name).simulation)
    found = run(tf.constant(angles, tf.float32), tf.constant(weights, tf.float32), tf.zeros(2, tf.int32), 0).numpy()
    np.testing.assert_allclose(found[0], expectations_by_aer(spec, name, angles[0], weights)[0], atol=ROUNDING)


def test_gradients_are_those_of_aers_density_matrix():
    """Central differences of Aer's expectations in double precision, in the first three angles and weights."""
    spec = circuit_spec(3, "ring", 1)
    angles, weights = drawn(spec, rows=1)
    run = differentiated(twin(spec, "fake_manila").simulation)
    x, theta = tf.constant(angles, tf.float32), tf.constant(weights, tf.float32)
    mix = np.array([1.0, -0.6, 0.3])
    with tf.GradientTape() as tape:
        tape.watch([x, theta])
        value = tf.reduce_sum(run(x, theta, tf.zeros(2, tf.int32), 0) * tf.constant(mix, tf.float32))
    by_inputs, by_weights = (gradient.numpy().ravel() for gradient in tape.gradient(value, [x, theta]))
    step = 1e-3
    for place in range(3):
        turn = step * np.eye(6)[place]
        ahead, back = (
            mix @ expectations_by_aer(spec, "fake_manila", angles[0] + way * turn[:3], weights)[0] for way in (1, -1)
        )
        assert by_inputs[place] == pytest.approx((ahead - back) / (2 * step), abs=1e-4)
        turn = step * np.eye(6)[place, : len(weights)]
        ahead, back = (
            mix @ expectations_by_aer(spec, "fake_manila", angles[0], weights + way * turn)[0] for way in (1, -1)
        )
        assert by_weights[place] == pytest.approx((ahead - back) / (2 * step), abs=1e-4)


def test_shots_and_parameter_shifts_are_of_the_same_circuit():
    exact = QuantumHead(3, layers=1, noise="fake_manila", seed=0)
    x = tf.constant(drawn(exact.spec)[0], tf.float32)
    with tf.GradientTape() as tape:
        judged = tf.reduce_sum(exact(x) ** 2)
    by_adjoint = tape.gradient(judged, exact.parameters.value)
    shifted = QuantumHead(3, layers=1, noise="fake_manila", gradient="parameter_shift", seed=0)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(shifted(x) ** 2)
    np.testing.assert_allclose(tape.gradient(value, shifted.parameters.value), by_adjoint, atol=10 * ROUNDING)
    shots = 100_000
    sampled = QuantumHead(3, layers=1, noise="fake_manila", shots=shots, seed=0)
    # Hoeffding: off by more with a probability of 1e-10.
    np.testing.assert_allclose(sampled(x), exact(x), atol=np.sqrt(2 * np.log(2 / 1e-10) / shots))


def test_rounds_of_saving_keep_the_twin(tmp_path):
    head = QuantumHead(3, layers=1, noise="fake_manila", seed=0)
    again = QuantumHead.from_config(head.get_config())
    assert again.twin == head.twin and head.twin["device"] == "fake_manila"
    assert head.twin["layout"] and QuantumHead(3).twin is None
    again.parameters.assign(head.parameters)
    rows = np.linspace(0, 3, 1500).reshape(500, 3).astype(np.float32)
    np.testing.assert_allclose(head.predict(np.tile(rows, (2, 1)))[500:], again.predict(rows), atol=ROUNDING)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"noise": "fake_paris,readout=0.1"},
            "`noise` must be one device alone, or channels alone; got 'fake_paris,readout=0.1'; `qssl noise "
            "fake_paris` prints the device's average noise as channels, which can be edited.",
        ),
        (
            {"noise": "fake_paris=0.1"},
            "`noise` must give a device without a number, as in fake_paris; got 'fake_paris=0.1'.",
        ),
        (
            {"noise": "readout=0.1,"},
            "`noise` must name a channel between its commas, as in readout=0.02; got 'readout=0.1,'.",
        ),
        (
            {"noise": "fake_manila", "encoding": "reuploading"},
            "`encoding` must be angle or angle_y with the noise of a device, which needs each qubit turned once by the "
            "data, in front; got 'reuploading'; two ways remain: one of these encodings, or the device's noise as "
            "channels (`qssl noise fake_manila` prints them) with `shots` and a `gradient` other than adjoint.",
        ),
        (
            {"noise": "fake_manila", "gradient": "two_term"},
            "`gradient` must be adjoint or parameter_shift with the noise of a device; got 'two_term'.",
        ),
        (
            {"noise": "fake_manila", "simulator": "tfq"},
            "`simulator` must be auto or pauli with the noise of a device; got 'tfq'.",
        ),
        (
            {"noise": "fake_manila", "noise_level": "layer"},
            "`noise_level` must be gate with the noise of a device; got 'layer'.",
        ),
        (
            {"noise": "fake_paris", "width": 13},
            "`noise` must be channels or none here: exact noise reaches up to 12 qubits, and these are 13; got "
            "'fake_paris'; take fewer qubits, or channels with `shots` and a `gradient` other than adjoint.",
        ),
        (
            {"noise": "fake_manila", "width": 6},
            "`noise` must name a device with at least 6 qubits for this run; fake_manila has 5.",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, sentence):
    with pytest.raises(UserError) as caught:
        QuantumHead(**({"width": 3} | arguments))
    assert str(caught.value) == sentence


def test_an_unknown_device_is_told_the_nearest():
    with pytest.raises(UserError) as caught:
        QuantumHead(3, noise="fake_pari")
    assert str(caught.value) == (
        "`noise` must be none, channels such as depolarizing=0.01, or the name of a calibration snapshot such as "
        "fake_paris; got 'fake_pari'. Did you mean 'fake_paris'?"
    )


def test_a_twin_on_more_qubits_than_fit_is_refused(monkeypatch):
    from qssl_tf.compiler import twin as module

    monkeypatch.setattr(module, "PAULI_WIDTH", 2)
    with pytest.raises(UserError) as caught:
        module.twin_on(circuit_spec(3), snapshot("fake_manila"))
    assert str(caught.value) == (
        "`noise` must be a device on which 3 qubits reach each other over at most 2; on fake_manila they take 3."
    )


def test_data_behind_two_qubit_gates_are_refused(monkeypatch):
    from qssl_tf.compiler import compile as compiling
    from qssl_tf.compiler.twin import twin_on

    monkeypatch.setattr(compiling, "SEEDS", 1)
    with pytest.raises(UserError, match=r"^`noise` must be channels for the ansatz 'ring': compiled for fake_manila, "):
        twin_on(circuit_spec(3, encoding="zz"), snapshot("fake_manila"))
