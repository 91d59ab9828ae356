"""The package without TensorFlow Quantum: the same files and numbers, and one line for what is missing."""

import json
import re
import warnings

import cirq
import numpy as np
import pytest
import without_tfq
from judges.cirq_values import symbol_values

import qssl_tf as q
from qssl_tf.environment import WITH_TFQ
from qssl_tf.errors import UserError
from qssl_tf.quantum import tfq_availability
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.search.space import Choice, reachable

NOT_INSTALLED = "TensorFlow Quantum is not installed: " + (
    "run `make install`, or `pip install -c constraints.txt -e .`"
    if WITH_TFQ
    else "it has wheels for Linux on x86-64, Python up to 3.12 and TensorFlow 2.18 only"
)
REFUSED = (
    "`simulator` must be auto, xla or pauli on this machine, which have the same weights and files; got 'tfq'. "
    f"{NOT_INSTALLED}."
)


@pytest.fixture(scope="module")
def folders(script, tmp_path_factory):
    """Return what was written here and, beside it, without TensorFlow Quantum, where what is here was read."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    without_tfq.write(here)
    done = script("tests/hidden_tfq.py", "tests/without_tfq.py", here, there)
    assert done.returncode == 0, done.stderr
    return here, there


def test_files_made_without_it_are_read_here(folders):
    """Those made here were read there, or the other process had failed."""
    without_tfq.read(folders[1])


def test_a_head_without_it_gives_cirqs_expectations(folders):
    kept, spec = np.load(folders[1] / "head.npz"), circuit_spec(3, "ring", 2)
    for values, row in zip(symbol_values(spec, kept["angles"], kept["weights"]), kept["values"], strict=True):
        state = cirq.resolve_parameters(spec.circuit, values).final_state_vector(qubit_order=spec.qubits)
        places = {qubit: place for place, qubit in enumerate(spec.qubits)}
        judge = [product.expectation_from_state_vector(state, places).real for product in spec.observables]
        np.testing.assert_allclose(row, judge, atol=1e-5)


def test_a_run_records_it_only_where_it_is(folders):
    recorded = [json.loads((folder / "run" / "versions.json").read_text()) for folder in folders]
    assert "tensorflow-quantum" not in recorded[1]
    assert ("tensorflow-quantum" in recorded[0]) == tfq_availability.is_installed()


def test_what_is_missing_is_said_with_the_reason(folders):
    said = json.loads((folders[1] / "said.json").read_text())
    assert said["why"] == NOT_INSTALLED and "tensorflow_quantum" not in said["bases"]
    assert said["tfq"] == REFUSED
    assert said["trajectories"] == (
        "`noise` must be none on this machine, or such that no trajectories are needed: exact noise needs an encoding "
        "that turns each qubit once, angle or angle_y, and this is reuploading; got 'depolarizing=0.01'. Trajectories "
        f"are TensorFlow Quantum's. {NOT_INSTALLED}."
    )
    assert said["twin"] == (
        "`encoding` must be angle or angle_y with the noise of a device, which needs each qubit turned once by the "
        "data, in front; got 'reuploading'."
    )


@pytest.fixture
def nowhere(monkeypatch):
    monkeypatch.setattr(tfq_availability, "is_installed", lambda: False)


def test_a_head_is_tfqs_where_it_can_be_used():
    tfq = tfq_availability.tensorflow_quantum()
    if tfq is None:
        pytest.skip(tfq_availability.why_absent())
    assert issubclass(q.QuantumHead, tfq.layers.PQC)


@pytest.mark.parametrize("command", ["pretrain", "search"])
def test_a_command_refuses_it(here, nowhere, tmp_path, command):
    done = here("-m", "qssl_tf", command, "--simulator", "tfq", folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {REFUSED}\n")


def test_a_space_with_it_is_refused(nowhere):
    with pytest.raises(UserError, match=f"^{re.escape(REFUSED)}$"):
        reachable({"simulator": Choice(("auto", "tfq"))}, q.Config())


def test_a_run_that_names_it_is_refused_and_read_once_it_says_auto(folders, nowhere, tmp_path):
    """Weights are the same for all simulators, so a checkpoint may be read with another one."""
    folder, config = folders[0] / "run", json.loads((folders[0] / "run" / "config.json").read_text())
    try:
        (folder / "config.json").write_text(json.dumps(config | {"simulator": "tfq"}))
        with pytest.raises(UserError, match=f"^{re.escape(f'{folder}/config.json: {REFUSED}')}$"):
            q.load_run(folder)
        (folder / "config.json").write_text(json.dumps(config | {"simulator": "xla"}))
        kept = np.load(folders[0] / "run.npz")
        np.testing.assert_allclose(q.load_run(folder).features(kept["images"]), kept["features"], atol=1e-5)
    finally:
        (folder / "config.json").write_text(json.dumps(config))


def test_one_beside_other_versions_is_not_loaded_and_said(monkeypatch):
    found = {"tensorflow-quantum": "0.7.6", "tensorflow": "2.21.0", "cirq-core": "1.5.0", "numpy": "2.0.2"}
    monkeypatch.setattr(tfq_availability, "is_installed", lambda: True)
    monkeypatch.setattr(tfq_availability, "installed", found.get)
    sentence = (
        "TensorFlow Quantum 0.7.6 is installed but cannot be used here: it needs tensorflow at least 2.18 and below "
        "2.19; found 2.21.0"
    )
    assert tfq_availability.obstacle() == sentence
    spoken = re.escape(f"{sentence}; qssl_tf works without it, except for `simulator` tfq.")
    with pytest.warns(UserWarning, match=f"^{spoken}$"):
        assert tfq_availability._loaded.__wrapped__() == (None, sentence)


def test_one_that_cannot_be_loaded_is_said(monkeypatch):
    def broken(name):
        raise ImportError("undefined symbol: _ZN10tensorflow")

    monkeypatch.setattr(tfq_availability, "is_installed", lambda: True)
    monkeypatch.setattr(tfq_availability, "obstacle", lambda: None)
    monkeypatch.setattr(tfq_availability, "installed", lambda name: "0.7.6")
    monkeypatch.setattr(tfq_availability, "import_module", broken)
    with pytest.warns(
        UserWarning, match="^TensorFlow Quantum 0.7.6 is installed but cannot be loaded: ImportError: undef"
    ):
        module, why = tfq_availability._loaded.__wrapped__()
    assert module is None
    with pytest.raises(
        UserError, match=r"got 'tfq'\. TensorFlow Quantum 0\.7\.6 is installed but cannot be loaded: Imp"
    ):
        tfq_availability.refuse_absent("tfq", why)


def test_where_there_is_none_nobody_is_warned(nowhere):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tfq_availability._loaded.__wrapped__() == (None, NOT_INSTALLED)
