"""Exported circuits, read by Qiskit's importers and by Cirq's of OpenQASM 2, against the head's unitary by Cirq."""

import io
import json
import re
import shutil

import cirq
import numpy as np
import pytest
from cirq.contrib.qasm_import import circuit_from_qasm
from qiskit import qasm2, qasm3, qpy
from qiskit.quantum_info import Operator

import qssl_tf as q
from qssl_tf.compiler.translate import translated
from qssl_tf.device.export import BOUND, FORMS, measured
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.quantum.ansatze import ANSATZE
from qssl_tf.quantum.encodings import ENCODINGS
from qssl_tf.quantum.spec import circuit_spec

WIDTH, IMAGE = 4, 7
# The gates of arXiv:1707.03429, appendix A, which every program with a qelib1.inc knows.
PUBLISHED = set(re.findall(r"\w+", "u3 u2 u1 cx id x y z h s sdg t tdg rx ry rz cz cy ch ccx crz cu1 cu3"))


def of_qiskit(circuit):
    """The unitary with the first qubit as the most significant bit, as Cirq has it."""
    return Operator(circuit.remove_final_measurements(inplace=False)).reverse_qargs().data


def of_cirq(circuit):
    """The same of a circuit that Cirq read, whose qubits are called q_0, q_1 and so on, by their numbers."""
    qubits = sorted(circuit.all_qubits(), key=lambda qubit: int(qubit.name.removeprefix("q_")))
    gates = cirq.drop_terminal_measurements(circuit) if circuit.has_measurements() else circuit
    unitary = [op for op in gates.all_operations() if not cirq.is_measurement(op)]
    return cirq.Circuit(unitary).unitary(qubit_order=qubits, qubits_that_should_be_present=qubits)


READERS = {
    "qasm2": (
        lambda text: of_qiskit(qasm2.loads(text.decode())),
        lambda text: of_cirq(circuit_from_qasm(text.decode())),
    ),
    "qasm3": (lambda text: of_qiskit(qasm3.loads(text.decode())),),
    "qpy": (lambda text: of_qiskit(qpy.load(io.BytesIO(text))[0]),),
}


def written(form, circuit):
    file = io.BytesIO()
    FORMS[form](circuit, file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "none"])
@pytest.mark.parametrize("ansatz", ANSATZE)
def test_every_form_of_every_circuit_is_the_heads_unitary(ansatz, encoding):
    rng, spec = np.random.default_rng(3), circuit_spec(WIDTH, ansatz, 2, encoding, "Z0,X1Y2,Z3")
    weights, angles = rng.uniform(-3, 3, len(spec.weights)), rng.uniform(0, np.pi, len(spec.inputs))
    weights[:1] = 3e-7  # is written with an exponent
    values = dict(zip(map(str, (*spec.inputs, *spec.weights)), map(float, (*angles, *weights)), strict=True))
    judge = cirq.resolve_parameters(spec.measurement_circuit, values).unitary(
        qubit_order=spec.qubits, qubits_that_should_be_present=spec.qubits
    )
    circuit = translated(spec, weights)
    bound = circuit.assign_parameters({parameter: values[parameter.name] for parameter in circuit.parameters})
    for form, readers in READERS.items():
        for made in (bound, measured(bound)):
            for read in readers:
                found = read(written(form, made))
                assert cirq.allclose_up_to_global_phase(found, judge, atol=1e-6), form


def test_openqasm_2_is_written_with_the_published_gates_alone():
    for ansatz in ANSATZE:
        spec = circuit_spec(WIDTH, ansatz, 2, "zz")
        circuit = translated(spec, np.linspace(0, 1, len(spec.weights)))
        text = written("qasm2", circuit.assign_parameters([0.5] * len(circuit.parameters))).decode()
        assert "gate " not in text
        assert {re.match(r"\w+", line)[0] for line in text.splitlines()[3:]} <= PUBLISHED
        assert text.startswith('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[4];\n')


@pytest.fixture
def ready(tmp_path):
    """The ready digits as a run of one's own."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "digits", ignore=shutil.ignore_patterns("SHA256SUMS"))
    return tmp_path / "digits"


def expectations(circuit, observables):
    """Exact means of products of Z by Cirq, of a circuit that it read from OpenQASM 2."""
    qubits = sorted(circuit.all_qubits(), key=lambda qubit: int(qubit.name.removeprefix("q_")))
    state = cirq.Simulator(dtype=np.complex128).simulate(circuit, qubit_order=qubits).final_state_vector
    products = [cirq.PauliString({qubits[bit]: cirq.Z for bit in one["bits"]}) for one in observables]
    order = {qubit: place for place, qubit in enumerate(qubits)}
    return [product.expectation_from_state_vector(state, order).real for product in products]


@pytest.mark.parametrize("named", [True, False])
def test_openqasm_2_is_the_circuit_of_an_image(ready, here, digits_data, named):
    done = here("-m", "qssl_tf", "device", ready, "--export", "qasm2", *(["--image", IMAGE] if named else []))
    image = IMAGE if named else 0
    plain, read, about = (ready / f"head_qasm2_image_{image}{rest}" for rest in (".qasm", "_measured.qasm", ".json"))
    assert (done.returncode, done.stdout) == (
        0,
        f"circuit at the angles of test image {image}: {plain}; with measurements: {read}; "
        f"how it is fed and read: {about}\n",
    ), done.stderr
    told, run = json.loads(about.read_text()), q.load_run(ready)
    judge = run.features(digits_data.test.images[image : image + 1])[0]
    assert told["parameters"] == {} and told["image"]["position"] == image
    assert told["image"]["class"] == digits_data.class_names[digits_data.test.labels[image]]
    np.testing.assert_allclose(list(told["image"]["exact expectations"].values()), judge, atol=1e-5)
    without = circuit_from_qasm(plain.read_text())
    np.testing.assert_allclose(expectations(without, told["observables"]), judge, atol=1e-5)
    measurements = [op for op in circuit_from_qasm(read.read_text()).all_operations() if cirq.is_measurement(op)]
    keys = {cirq.measurement_key_name(op): op.qubits[0].name for op in measurements}
    assert not without.has_measurements() and keys == {f"meas_{bit}": f"q_{bit}" for bit in range(8)}


@pytest.mark.parametrize("form", [form for form in FORMS if form not in BOUND])
def test_other_forms_keep_their_parameters_unless_an_image_is_named(ready, here, form):
    done = here("-m", "qssl_tf", "device", ready, "--export", form)
    assert done.returncode == 0, done.stderr
    assert here("-m", "qssl_tf", "device", ready, "--export", form, "--image", IMAGE).returncode == 0
    end = "qpy" if form == "qpy" else "qasm"
    names = [f"head{image}{read}.{end}" for image in ("", f"_image_{IMAGE}") for read in ("", "_measured")]
    for name in names:
        text = (ready / name).read_bytes()
        circuit = qpy.load(io.BytesIO(text))[0] if form == "qpy" else qasm3.loads(text.decode())
        about = json.loads((ready / name).with_name(f"{name.split('.')[0].removesuffix('_measured')}.json").read_text())
        assert {parameter.name for parameter in circuit.parameters} == set(about["parameters"])
        assert len(about["parameters"]) == (0 if "image" in name else 8)
        assert circuit.count_ops().get("measure", 0) == (8 if "measured" in name else 0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--export", "qasm2", "--image", "360"], "`image` must be from 0 to 359, a test image of digits; got 360."),
        (["--export", "qpy", "--image", "-1"], "`image` must be from 0 to 359, a test image of digits; got -1."),
        (
            ["--image", "3"],
            "--image belongs to --export; add --export qasm2, or name numbers of images by --images.",
        ),
    ],
)
def test_mistakes_are_one_line(ready, here, words, sentence):
    done = here("-m", "qssl_tf", "device", ready, *words)
    assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")
