"""Run folders from strangers: loading one runs none of its code, reads no other files and takes no absurd memory."""

import json
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from qssl_tf.config import Config
from qssl_tf.device.inputs import problem
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.manage import chosen
from qssl_tf.errors import UserError
from qssl_tf.files.read import read_arrays, read_json
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.checkpoints import load_weights, restore_state, save_state, save_weights
from qssl_tf.training.fit import build
from qssl_tf.training.runs import create_run, newest_run, open_run


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return Path.touch, (self.proof,)


@pytest.fixture
def run(tmp_path):
    return create_run(Config(width=3, layers=1, batch_size=16), tmp_path, "run", "digits")


@pytest.fixture
def model(run, digits_data):
    return build(run.config, digits_data)[0]


@pytest.fixture
def payload(tmp_path):
    """An array that is code, and the file that it would make."""
    proof = tmp_path / "proof"
    return np.array([Payload(proof)], dtype=object), proof


def test_a_pickle_makes_the_file_where_it_is_allowed_to(payload, tmp_path):
    """So that the tests below would notice."""
    array, proof = payload
    np.savez(tmp_path / "a.npz", a=array)
    with np.load(tmp_path / "a.npz", allow_pickle=True) as file:
        file["a"]
    assert proof.exists()


def test_a_state_runs_nothing(run, model, payload):
    array, proof = payload
    save_state(run, model, 1)
    with np.load(run.state) as file:
        whole = dict(file)
    for changed in (whole | {"0000": array}, whole | {"record": array}):
        np.savez(run.state, **changed)
        with pytest.raises(UserError, match="is damaged"):
            restore_state(run, model)
    assert not proof.exists()


def test_a_classifier_runs_nothing(run, payload):
    array, proof = payload
    run.probe.write_text(json.dumps(PROBE))
    np.savez(run.probe.with_suffix(".npz"), kernel=array, bias=array, step=1)
    with pytest.raises(UserError, match="cannot be read"):
        problem(run, "last", 5, 0)
    assert not proof.exists()


PROBE = {
    "split": "test", "protocol": "cached", "step": 1, "features": 3, "n_train": 1437, "n_test": 360,
    "accuracy_last": 50.0, "accuracy_best_epoch": 50.0, "per_class_accuracy": {"a": 50.0, "b": 0.0},
    "confusion": [[180, 180], [0, 0]], "class_names": ["a", "b"],
    "frozen_sha256": "ab" * 32, "seconds": 1.0,
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path):
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("x_000"), 0)
    circuit.measure_all()
    settings = {
        "backend": "aer", "shots": 10, "mitigation": "none", "seed": 3, "step": 1, "two_qubit_gates": 0, "depth": 1,
        "layout": [0], "estimated_success": 0.5, "contrast": [1.0], "class_names": ["0", "1"], "seconds": 0.0,
    }  # fmt: skip
    return Ledger.create(tmp_path / "ibmq" / "one", settings, [circuit], {"rows": np.zeros((3, 1))}, [[0, 1, 2]])


def test_a_device_run_runs_nothing(ledger, payload):
    array, proof = payload
    np.savez(ledger.path(0), circuit_0=array)
    with pytest.raises(UserError, match="is damaged .*`qssl device --resume one` runs that job again"):
        ledger.packed(0)
    np.savez(ledger.folder / "values.npz", rows=array)
    with pytest.raises(UserError, match="cannot be read"):
        Ledger.open(ledger.folder)
    assert not proof.exists()


def test_circuits_of_formats_that_hold_pickles_are_refused(ledger):
    path = ledger.folder / "circuit.qpy"
    content = bytearray(path.read_bytes())
    assert len(ledger.circuits()) == 1
    content[6] = 12  # the format's version; up to 12 symbols could be pickles
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged .it is no QPY file of this program.; start a new device run"):
        ledger.circuits()
    path.write_bytes(bytes(content[:40]))
    with pytest.raises(UserError, match="is damaged"):
        ledger.circuits()


@pytest.mark.parametrize("name", ["..", "../one", "/tmp", "a/b", "latest", "."])
def test_device_runs_are_named_without_a_path(ledger, name):
    with pytest.raises(UserError) as caught:
        chosen(ledger.folder.parent, name)
    assert str(caught.value) == f"a device run is named as `qssl device --status` lists it; got {name!r}."


@pytest.mark.parametrize("part", ["rows", "tag", "id"])
def test_rows_and_names_of_jobs_are_checked(ledger, part):
    record = json.loads((ledger.folder / "record.json").read_text())
    record["jobs"][0][part] = [-1] if part == "rows" else 3
    (ledger.folder / "record.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=rf"cannot be read .its jobs\.0\.{part}"):
        Ledger.open(ledger.folder)


def test_a_saved_model_runs_nothing(tmp_path, payload):
    """A learner whose encoder holds a function; Keras's safe mode is on by default, inside our classes as well."""
    proof = str(payload[1])
    touch = layers.Lambda(lambda x: (open(proof, "w").close(), x)[1])
    parts = [keras.Sequential([keras.Input((3,)), layer]) for layer in (touch, layers.ReLU(), layers.ReLU())]
    SimCLR(*parts).save(tmp_path / "model.keras")
    payload[1].unlink(missing_ok=True)
    with pytest.raises((ValueError, TypeError), match="(?i)lambda"):
        keras.saving.load_model(tmp_path / "model.keras")
    assert not payload[1].exists()


def test_nothing_in_the_project_unpickles_or_leaves_safe_mode():
    root = Path(__file__).resolve().parents[1]
    for folder in ("qssl_tf", "trainers", "tuning"):
        for path in (root / folder).rglob("*.py"):
            text = path.read_text()
            for word in ("import pickle", "allow_pickle=True", "safe_mode=False", "enable_unsafe", "eval(", "yaml"):
                assert word not in text, f"{path}: {word}"


def test_weights_elsewhere_are_not_followed(run, model, tmp_path):
    """HDF5 can point to any file of the reader's machine, whose bytes would become weights that are passed on."""
    save_weights(run, model, 1)
    secret = tmp_path / "secret"
    secret.write_bytes(b"0123456789abcdef" * 4)
    whole = run.checkpoint(1).read_bytes()

    def external(file):
        file.create_dataset("stolen", (8,), "f4", external=[(str(secret), 0, 32)])

    def linked(file):
        file["stolen"] = h5py.ExternalLink(str(secret), "/")

    def soft(file):
        file["stolen"] = h5py.SoftLink("/encoder")

    for change in (external, linked, soft):
        run.checkpoint(1).write_bytes(whole)
        with h5py.File(run.checkpoint(1), "a") as file:
            change(file)
        with pytest.raises(UserError, match="is damaged .*elsewhere"):
            load_weights(run, model, 1)


def test_weights_of_absurd_size_are_refused_unread(run, model):
    save_weights(run, model, 1)
    with h5py.File(run.checkpoint(1), "a") as file:
        file.create_dataset("zeros", (1 << 40,), "f4", chunks=(1 << 16,), compression="gzip")  # 4 TB of nothing
    assert run.checkpoint(1).stat().st_size < 10_000_000
    with pytest.raises(UserError, match="is damaged .its arrays take 4398046.* bytes, those of the model"):
        load_weights(run, model, 1)


def test_compressed_arrays_of_absurd_size_are_refused_unread(run, model, ledger):
    bomb = run.folder / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("circuit_0.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert bomb.stat().st_size < 1 << 20
    for read in (lambda: read_arrays(bomb), lambda: read_arrays(bomb, at_most=1 << 20)):
        with pytest.raises(ValueError, match="its arrays take 314572800 bytes, more than"):
            read()
    bomb.replace(ledger.path(0))
    with pytest.raises(UserError, match="its arrays take 314572800 bytes, more than 30"):
        ledger.packed(0)


def test_large_and_deep_json_is_refused(run):
    path = run.folder / "config.json"
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="cannot be read as JSON .it is nested too deeply.; restore or remake it"):
        open_run(run.folder)
    with open(path, "wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(UserError, match="cannot be read as JSON .it has 8589934592 bytes, more than 16777216."):
        open_run(run.folder)


def test_a_pipe_in_the_place_of_a_file_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="it is no file"):
        read_json(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"width": 10**400}, "`width` must be at least 1 and at most 4096; got 1000"),
        ({"learning_rate": 10**400}, "`learning_rate` must be a number; got 1000"),
        ({"probe_batch_size": 2**31}, "`probe_batch_size` must be at least 1 and at most 2147483647; got 2147483648."),
        ({"probe_epochs": 10**7}, "`probe_epochs` must be at least 1 and at most 1000000; got 10000000."),
        ({"projector": [10**9]}, "`projector` must be up to 16 widths from 1 to 65536, or none; got [1000000000]."),
        ({"dataset": "x" * 10**6}, "`dataset` must have at most 4096 characters; got 1000000."),
        ({"classes": list(range(10**5))}, "`classes` must have at most 4096 numbers; got 100000."),
        ({"ansatz": "x" * 10**6}, "`ansatz` must "),
    ],
)
def test_absurd_settings_are_one_short_line(settings, sentence):
    with pytest.raises(UserError) as caught:
        Config.from_dict(settings)
    assert str(caught.value).startswith(sentence) and len(str(caught.value)) < 500


def test_a_run_folder_holds_its_own_files(run, tmp_path):
    (tmp_path / "aside").mkdir()
    (run.folder / "state").rmdir()
    (run.folder / "state").symlink_to(tmp_path / "aside")
    with pytest.raises(UserError) as caught:
        open_run(run.folder)
    assert str(caught.value) == (
        f"{run.folder / 'state'} is a link to another place; such a folder must hold its own files: put the file "
        "itself there."
    )


def test_the_newest_run_is_beside_its_link(run, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "latest").symlink_to(Path("..") / run.folder.name)
    with pytest.raises(UserError, match="points out of its folder, to .*; name the folder itself."):
        newest_run(runs)
