"""Provenance: other images, circuits and encoders than in training are refused on every route."""

import json
import shutil

import cirq
import keras
import numpy as np
import pytest
from PIL import Image

import qssl_tf as q
from qssl_tf.config import Config
from qssl_tf.models.encoders import build_encoder
from qssl_tf.quantum.spec import circuit_spec
from qssl_tf.training.provenance import layers_fingerprint
from qssl_tf.training.runs import open_run

SETTINGS: dict = {"width": 2, "layers": 1, "batch_size": 8, "steps": 2, "probe_epochs": 2}
pytestmark = pytest.mark.usefixtures("own_words")
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]


def write_photos(folder):
    """40 files of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    for number, values in enumerate(pixels):
        path = folder / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return folder


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory, here):
    """A run trained and probed by the commands, and its folder of images."""
    folder = write_photos(tmp_path_factory.mktemp("photos"))
    runs = tmp_path_factory.mktemp("runs")
    flags = ["--dataset", "folder", "--data-dir", folder, "--runs-dir", runs, "--name", "run"]
    result = here("trainers/pretrain.py", *flags, *FLAGS)
    assert result.returncode == 0, result.stderr
    result = here("trainers/linear_eval.py", "--run", runs / "run")
    assert result.returncode == 0, result.stderr
    return runs / "run", folder


ROUTES = {
    "probe": lambda run: ["trainers/linear_eval.py", "--run", run],
    "device": lambda run: ["-m", "qssl_tf.ibmq_infer", "--run", run, "--backend", "aer", "--images", "4"],
    "report": lambda run: ["-m", "qssl_tf", "report", run],
    "resume": lambda run: ["trainers/pretrain.py", "--resume", run],
}


@pytest.mark.parametrize("route", ROUTES)
def test_deleted_images_are_detected_on_every_route(here, trained_run, tmp_path, route):
    run, folder = shutil.copytree(trained_run[0], tmp_path / "run"), trained_run[1]
    deleted_files = sorted(folder.rglob("*.png"))[::4]
    contents = {path: path.read_bytes() for path in deleted_files}
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    for path in deleted_files:
        path.unlink()
    try:
        result = here(*ROUTES[route](run))
    finally:
        for path, content in contents.items():
            path.write_bytes(content)
    assert result.returncode == 2, (result.stdout, result.stderr)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: {run} was trained on other images than these 24 of {folder.name}: "), last
    assert last.endswith(
        "split was of 32 images, and the 24 now have other pixels or labels; restore them, or train a new run."
    ), last
    assert {path: path.read_bytes() for path in before} == before
    assert here(*ROUTES[route](run)).returncode == 0  # all are restored


def test_other_test_images_are_detected(trained_run):
    run, folder = trained_run
    tests = q.ImageData.from_folder(folder).test.images[..., 0]
    pictures = {path: np.asarray(Image.open(path)) for path in folder.rglob("*.png")}
    path, pixels = next((path, pixels) for path, pixels in pictures.items() if (tests == pixels).all((1, 2)).any())
    Image.fromarray(255 - pixels).save(path)
    try:
        with pytest.raises(
            q.UserError, match="its test split was of 8 images, and the 8 now have other pixels or labels"
        ):
            q.linear_probe(run)
    finally:
        Image.fromarray(pixels).save(path)


PLUGIN = """
import cirq, qssl_tf, keras
@qssl_tf.register_ansatz("provenance_turn")
def turn(qubits, weights, layer):
    for qubit in qubits:
        yield cirq.{gate}(next(weights))(qubit)
"""


def test_a_plugin_whose_circuit_changed_is_refused(script, tmp_path):
    """In separate processes, as for a user: the run is trained with RY, then the file has RX."""
    plugin, run = tmp_path / "plugin.py", tmp_path / "run"
    plugin.write_text(PLUGIN.format(gate="ry"))
    common = ["--plugin", plugin]
    flags = [*common, "--ansatz", "provenance_turn", *FLAGS, "--runs-dir", tmp_path, "--name", "run"]
    result = script("trainers/pretrain.py", *flags)
    assert result.returncode == 0, result.stderr
    assert "ansatz_sha256" in (run / "versions.json").read_text()
    plugin.write_text(PLUGIN.format(gate="rx"))
    for command in (["trainers/linear_eval.py", "--run", run], ["trainers/pretrain.py", "--resume", run]):
        result = script(*command, *common)
        assert result.returncode == 2
        assert result.stderr.strip().splitlines()[-1] == (
            f"error: `ansatz` 'provenance_turn' is another than the one {run} was trained with; register that one, or "
            "train a new run."
        )
    plugin.write_text(PLUGIN.format(gate="ry") + "# another comment is not another circuit\n")
    result = script("trainers/linear_eval.py", "--run", run, *common)
    assert result.returncode == 0, result.stderr


def register(gates):
    @q.register_ansatz("provenance_circuit")
    def layer(qubits, weights, number):
        yield from gates(qubits, weights)

    return circuit_spec(3, "provenance_circuit", 2).fingerprint()


def test_a_circuits_fingerprint_is_of_what_its_gates_do():
    """Gates that are equal in Cirq have equal fingerprints; another matrix, qubit or weight changes it."""
    equal = [
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w)).on(b[0]), cirq.X(b[1]).controlled_by(b[0])]),
    ]
    different = [
        register(lambda b, w: [cirq.rx(next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[1]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(-next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[1], b[0])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[0], b[1]).with_tags("x"), cirq.Z(b[-1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.X(b[1]).controlled_by(b[0], control_values=[0])]),
    ]
    assert equal[0] == equal[1] and len({equal[0], *different}) == 7


def test_an_encoders_fingerprint_is_of_its_layers():
    def fingerprint(units, activation):
        @q.register_encoder("provenance_encoder")
        def encoder(shape):
            return keras.Sequential(
                [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units, activation=activation)]
            )

        return layers_fingerprint(build_encoder("provenance_encoder", (8, 8, 1), 2, 0))

    assert fingerprint(4, "relu") == fingerprint(4, "relu")  # names, which Keras numbers, are ignored
    assert len({fingerprint(4, "relu"), fingerprint(4, "tanh"), fingerprint(5, "relu")}) == 3


def test_nested_names_and_addresses_are_not_part_of_a_fingerprint():
    """Keras also numbers the names of nested layers, and an object in a user's settings has a new address each time."""

    class WithObject(keras.layers.Layer):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def call(self, x):
            return x

        def get_config(self):
            return super().get_config() | {"kept": self.value}

    def fingerprint(units):
        inner = keras.layers.TimeDistributed(keras.layers.Dense(units))
        return layers_fingerprint(keras.Sequential([keras.Input((3, 4)), inner, WithObject(object())]))

    assert fingerprint(2) == fingerprint(2) != fingerprint(3)


def test_an_encoder_or_a_circuit_that_changed_is_refused(tmp_path, digits_data):
    def register(activation, gate):
        @q.register_encoder("provenance_own")
        def encoder(shape):
            return keras.Sequential(
                [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(4, activation=activation)]
            )

        @q.register_ansatz("provenance_turns")
        def layer(qubits, weights, number):
            yield from (gate(next(weights))(qubit) for qubit in qubits)

    register("relu", cirq.ry)
    config = Config(encoder="provenance_own", ansatz="provenance_turns", **SETTINGS)
    run = q.pretrain(config=config, runs_dir=tmp_path, name="run")
    for changed, part in (
        (("tanh", cirq.ry), "`encoder` 'provenance_own'"),
        (("relu", cirq.rx), "`ansatz` 'provenance_turns'"),
    ):
        register(*changed)
        for call in (lambda: q.load_run(run.folder), lambda: q.resume(run.folder), lambda: q.linear_probe(run.folder)):
            with pytest.raises(q.UserError, match=f"{part} is another than the one .* was trained with"):
                call()
    register("relu", cirq.ry)
    assert q.load_run(run.folder).step == open_run(run.folder).checkpoint_steps()[-1]


def test_runs_without_recorded_fingerprints_are_read(tmp_path, digits_data):
    """Runs of earlier versions have no checksums of test images and custom parts."""
    run = q.pretrain(config=Config(**SETTINGS), runs_dir=tmp_path, name="run")
    metadata = json.loads((run.folder / "data.json").read_text())
    (run.folder / "data.json").write_text(
        json.dumps(
            {name: value for name, value in metadata.items() if name not in ("test_sha256", "validation_sha256")}
        )
    )
    assert q.linear_probe(run.folder).n_test == 360


def test_a_data_set_that_changes_on_each_load_is_refused(tmp_path):
    rng = np.random.default_rng(0)

    @q.register_dataset("provenance_random")
    def images():
        pixels = rng.integers(0, 256, (40, 8, 8, 1), np.uint8)
        return q.ImageData.from_arrays(pixels, np.arange(40) % 2, name="provenance_random")

    run = q.pretrain(config=Config(dataset="provenance_random", **SETTINGS), runs_dir=tmp_path, name="run")
    for call in (lambda: q.linear_probe(run.folder), lambda: q.resume(run.folder), lambda: q.write_report(run.folder)):
        with pytest.raises(q.UserError, match="was trained on other images than these 32 of provenance_random"):
            call()


def test_a_search_does_not_go_on_with_other_images(here, script, tmp_path):
    folder = write_photos(tmp_path / "photos")
    flags = ["--searches-dir", tmp_path, "--name", "search", "--dataset", "folder", "--data-dir", folder]
    result = here(
        "tuning/search.py", *flags, *FLAGS, "--vary", "temperature=0.1,0.2", "--algorithm", "grid", "--trials", "1"
    )
    assert result.returncode == 0, result.stderr
    sorted(folder.rglob("*.png"))[0].unlink()
    # In a new process, since this one has read the images.
    result = script("tuning/search.py", "--resume", tmp_path / "search", "--trials", "2")
    assert result.returncode == 2
    assert result.stderr.startswith(
        f"error: {tmp_path / 'search' / 'trials' / 'trial-0000'} was trained on other images"
    )
