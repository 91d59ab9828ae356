"""A run and what it was trained on and with: other images, circuits and encoders are refused on every route."""

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
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]


def photos(folder):
    """40 files of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    for number, values in enumerate(pixels):
        path = folder / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, here):
    """A probed run, as the commands make it, and its folder of images."""
    folder = photos(tmp_path_factory.mktemp("photos"))
    runs = tmp_path_factory.mktemp("runs")
    flags = ["--dataset", "folder", "--data-dir", folder, "--runs-dir", runs, "--name", "run"]
    done = here("trainers/pretrain.py", *flags, *FLAGS)
    assert done.returncode == 0, done.stderr
    done = here("trainers/linear_eval.py", "--run", runs / "run")
    assert done.returncode == 0, done.stderr
    return runs / "run", folder


ROUTES = {
    "probe": lambda run: ["trainers/linear_eval.py", "--run", run],
    "device": lambda run: ["-m", "qssl_tf.ibmq_infer", "--run", run, "--backend", "aer", "--images", "4"],
    "report": lambda run: ["-m", "qssl_tf", "report", run],
    "resume": lambda run: ["trainers/pretrain.py", "--resume", run],
}


@pytest.mark.parametrize("route", ROUTES)
def test_deleted_images_are_noticed_on_every_route(here, trained, tmp_path, route):
    run, folder = shutil.copytree(trained[0], tmp_path / "run"), trained[1]
    gone = sorted(folder.rglob("*.png"))[::4]
    kept = {path: path.read_bytes() for path in gone}
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    for path in gone:
        path.unlink()
    try:
        done = here(*ROUTES[route](run))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert done.returncode == 2, (done.stdout, done.stderr)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error: {run} was trained on other images than these 24 of {folder.name}: "), last
    assert last.endswith(
        "split was of 32 images, and the 24 now have other pixels or labels; restore them, or train a new run."
    ), last
    assert {path: path.read_bytes() for path in before} == before
    assert here(*ROUTES[route](run)).returncode == 0  # all are there again


def test_other_test_images_are_noticed(trained):
    run, folder = trained
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
    """Processes of their own, as a user has them: trained with RY, then RX stands in the file."""
    plugin, run = tmp_path / "plugin.py", tmp_path / "run"
    plugin.write_text(PLUGIN.format(gate="ry"))
    common = ["--plugin", plugin]
    flags = [*common, "--ansatz", "provenance_turn", *FLAGS, "--runs-dir", tmp_path, "--name", "run"]
    done = script("trainers/pretrain.py", *flags)
    assert done.returncode == 0, done.stderr
    assert "ansatz_sha256" in (run / "versions.json").read_text()
    plugin.write_text(PLUGIN.format(gate="rx"))
    for words in (["trainers/linear_eval.py", "--run", run], ["trainers/pretrain.py", "--resume", run]):
        done = script(*words, *common)
        assert done.returncode == 2
        assert done.stderr.strip().splitlines()[-1] == (
            f"error: `ansatz` 'provenance_turn' is another than the one {run} was trained with; register that one, or "
            "train a new run."
        )
    plugin.write_text(PLUGIN.format(gate="ry") + "# another comment is no other circuit\n")
    done = script("trainers/linear_eval.py", "--run", run, *common)
    assert done.returncode == 0, done.stderr


def register(gates):
    @q.register_ansatz("provenance_circuit")
    def layer(qubits, weights, number):
        yield from gates(qubits, weights)

    return circuit_spec(3, "provenance_circuit", 2).fingerprint()


def test_a_circuits_fingerprint_is_of_what_its_gates_do():
    """Gates that Cirq holds equal have one fingerprint, gates with another matrix, place or weight have others."""
    same = [
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w)).on(b[0]), cirq.X(b[1]).controlled_by(b[0])]),
    ]
    others = [
        register(lambda b, w: [cirq.rx(next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[1]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(-next(w))(b[0]), cirq.CX(b[0], b[1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[1], b[0])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.CX(b[0], b[1]).with_tags("x"), cirq.Z(b[-1])]),
        register(lambda b, w: [cirq.ry(next(w))(b[0]), cirq.X(b[1]).controlled_by(b[0], control_values=[0])]),
    ]
    assert same[0] == same[1] and len({same[0], *others}) == 7


def test_an_encoders_fingerprint_is_of_its_layers():
    def made(units, activation):
        @q.register_encoder("provenance_encoder")
        def encoder(shape):
            return keras.Sequential(
                [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(units, activation=activation)]
            )

        return layers_fingerprint(build_encoder("provenance_encoder", (8, 8, 1), 2, 0))

    assert made(4, "relu") == made(4, "relu")  # names count on, and are not looked at
    assert len({made(4, "relu"), made(4, "tanh"), made(5, "relu")}) == 3


def test_names_within_layers_and_addresses_are_no_part_of_a_fingerprint():
    """Those of a layer within a layer count on as well, and an object of a user's settings has another address."""

    class Kept(keras.layers.Layer):
        def __init__(self, kept):
            super().__init__()
            self.kept = kept

        def call(self, x):
            return x

        def get_config(self):
            return super().get_config() | {"kept": self.kept}

    def made(units):
        inner = keras.layers.TimeDistributed(keras.layers.Dense(units))
        return layers_fingerprint(keras.Sequential([keras.Input((3, 4)), inner, Kept(object())]))

    assert made(2) == made(2) != made(3)


def test_an_encoder_that_changed_is_refused(tmp_path, digits_data):
    def register(activation):
        @q.register_encoder("provenance_own")
        def encoder(shape):
            return keras.Sequential(
                [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(4, activation=activation)]
            )

    register("relu")
    run = q.pretrain(config=Config(encoder="provenance_own", **SETTINGS), runs_dir=tmp_path, name="run")
    register("tanh")
    for call in (lambda: q.load_run(run.folder), lambda: q.resume(run.folder), lambda: q.linear_probe(run.folder)):
        with pytest.raises(q.UserError, match="`encoder` 'provenance_own' is another than the one .* was trained with"):
            call()
    register("relu")
    assert q.load_run(run.folder).step == open_run(run.folder).checkpoint_steps()[-1]


def test_runs_that_did_not_say_are_read(tmp_path, digits_data):
    """As earlier versions left them: without checksums of test images and own parts."""
    run = q.pretrain(config=Config(**SETTINGS), runs_dir=tmp_path, name="run")
    facts = json.loads((run.folder / "data.json").read_text())
    (run.folder / "data.json").write_text(
        json.dumps({name: value for name, value in facts.items() if name not in ("test_sha256", "validation_sha256")})
    )
    assert q.linear_probe(run.folder).n_test == 360


def test_a_data_set_that_is_another_each_time_is_refused(tmp_path):
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
    folder = photos(tmp_path / "photos")
    shared = ["--searches-dir", tmp_path, "--name", "search", "--dataset", "folder", "--data-dir", folder]
    done = here(
        "tuning/search.py", *shared, *FLAGS, "--vary", "temperature=0.1,0.2", "--algorithm", "grid", "--trials", "1"
    )
    assert done.returncode == 0, done.stderr
    sorted(folder.rglob("*.png"))[0].unlink()
    done = script("tuning/search.py", "--resume", tmp_path / "search", "--trials", "2")  # this process has read them
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path / 'search' / 'trials' / 'trial-0000'} was trained on other images")
