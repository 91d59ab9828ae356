"""Every argument of the public layers and models: what is of the wrong type or out of range ends in one line."""

import importlib
import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import qssl_tf as q
from qssl_tf.models.target import TargetNetwork
from qssl_tf.objectives.queue import Queue

NOT_NUMBERS = ("4", None, [4], 4.0, 4.5, float("nan"), True)
NOT_TEXTS = (3, None, ["z"], True)
TEMPERATURES = ("0.1", None, [0.1], 0, -1.0, float("nan"), float("inf"), True)


def encoder():
    return keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])


def projector(features=3):
    return keras.Sequential([keras.Input((features,)), layers.Dense(2)])


class Unaware(keras.Model):
    """A user's class without shapes."""

    def __init__(self):
        super().__init__()
        self.flatten, self.dense = layers.Flatten(), layers.Dense(3)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))


def head(**changes):
    return q.QuantumHead(**{"width": 3, "layers": 1} | changes)


def learner(**changes):
    parts = {"encoder": encoder, "head": head, "projector": projector}
    return q.SimCLR(**{name: make() for name, make in parts.items() if name not in changes} | changes)


def target(**changes):
    parts = {"encoder": encoder, "head": head, "projector": projector}
    return TargetNetwork(**{name: make() for name, make in parts.items() if name not in changes} | changes)


# (class, argument) -> how it is made, and what must be refused.
WRONG = {
    ("QuantumHead", "width"): (head, (*NOT_NUMBERS, 0, -1, 10**9)),
    ("QuantumHead", "ansatz"): (head, (*NOT_TEXTS, "rign")),
    ("QuantumHead", "layers"): (head, (*NOT_NUMBERS, 0, -1, 10**9)),
    ("QuantumHead", "encoding"): (head, (*NOT_TEXTS, "angel")),
    ("QuantumHead", "observables"): (head, (*NOT_TEXTS, "", "Z9", "z,zz", "X0,Z0", "Z0,Z0", "X0X1,X1X0")),
    ("QuantumHead", "shots"): (head, ("4", [4], 4.5, True, 0, -1, 10**9)),
    ("QuantumHead", "gradient"): (head, (*NOT_TEXTS, "autograd")),
    ("QuantumHead", "noise"): (
        head,
        (*NOT_TEXTS, "depolarizing", "depolarizing=2", "dephasing=0.1", "readout=0.1,readout=0.2"),
    ),
    ("QuantumHead", "noise_level"): (head, (*NOT_TEXTS, "gates")),
    ("QuantumHead", "partial_measurement"): (head, ("yes", 1, None, [])),
    ("QuantumHead", "simulator"): (head, (*NOT_TEXTS, "cirq")),
    ("QuantumHead", "seed"): (head, ("4", [4], 4.5, True, -1, 10**12)),
    ("NTXent", "temperature"): (q.NTXent, TEMPERATURES),
    ("SimCLR", "encoder"): (learner, (None, 3, keras.Sequential, Unaware(), layers.Dense(3), keras.Sequential([]))),
    ("SimCLR", "head"): (learner, (None, "ring", q.QuantumHead, q.QuantumHead(4), projector(4))),
    ("SimCLR", "projector"): (learner, (None, layers.Dense, projector(4))),
    ("SimCLR", "batch_statistics"): (learner, (*NOT_TEXTS, "locl")),
    ("SimCLR", "chunk_size"): (learner, ("4", [4], 4.5, True, 0, -1)),
    ("SimCLR", "recompute_blocks"): (learner, ("yes", 1, None, [])),
    ("SimCLR", "predictor"): (learner, (3, "mlp", layers.Dense, projector(4), projector(2).layers[0].__class__)),
    ("SimCLR", "target"): (learner, (3, 0.99, TargetNetwork, projector(3), encoder(), target(projector=projector(4)))),
    ("SimCLR", "overlap_qubits"): (learner, ("0", 1, True, [0.5], [7], [0, 0], {"a": 1})),
    ("SimCLR", "queue"): (learner, (3, 1024, Queue, Queue(4), layers.Identity())),
}
KERAS = {"reduction", "name", "dtype", "kwargs"}  # checked by Keras, in sentences of its own
CASES = [(key, value) for key, (_, values) in WRONG.items() for value in values]


@pytest.mark.parametrize(("key", "value"), CASES, ids=lambda part: str(part)[:40])
def test_a_wrong_argument_ends_in_one_line_that_names_it(key, value):
    with pytest.raises(q.UserError) as caught:
        WRONG[key][0](**{key[1]: value})
    sentence = str(caught.value)
    assert f"`{key[1]}`" in sentence and "\n" not in sentence and len(sentence) < 500, sentence


def test_the_table_has_every_argument():
    for name in ("QuantumHead", "NTXent", "SimCLR"):
        known = {argument for owner, argument in WRONG if owner == name}
        assert set(inspect.signature(getattr(q, name)).parameters) - KERAS == known


@pytest.mark.parametrize(
    "decided", ["repetitions", "backend", "differentiator", "initializer", "operators", "autocast"]
)
def test_what_the_head_decides_for_its_parent_is_refused(decided):
    with pytest.raises(q.UserError, match=rf"^`{decided}` belongs to PQC and is decided by QuantumHead; leave it out"):
        head(**{decided: 10})


def test_a_head_computes_in_a_floating_type():
    with pytest.raises(q.UserError, match=r"^`dtype` must compute in a floating type .*; got 'int32'\.$"):
        head(dtype="int32")


def test_numpy_numbers_are_numbers():
    made = head(width=np.int64(3), layers=np.int8(1), shots=np.uint16(5), seed=np.int32(2))
    assert made.get_config() == head(shots=5, seed=2, name=made.name).get_config()
    assert all(type(made.get_config()[name]) is int for name in ("width", "layers", "shots", "seed"))
    assert q.Config(width=np.int64(3), learning_rate=np.float32(0.5)) == q.Config(width=3, learning_rate=0.5)
    assert q.NTXent(np.float32(0.5)).temperature == 0.5


def test_regularizer_and_constraint_are_kept(tmp_path):
    made = head(regularizer=keras.regularizers.L2(0.5), constraint=keras.constraints.MaxNorm(0.1))
    keras.Sequential([keras.Input((3,)), made]).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert again.get_config() == made.get_config() and again.regularizer.l2 == 0.5
    np.testing.assert_allclose(again.losses[0], 0.5 * np.sum(made.parameters.numpy() ** 2), rtol=1e-5)


VIEWS = np.zeros((4, 4, 4, 1), np.float32)
LABELS = np.zeros(4)
PAIRS = (
    "SimCLR must be given pairs (view_a, view_b), each of shape ('n', 4, 4, 1); got shape ('n', 4, 4, 1) and {}. "
    "Labels come third, as integers."
)
WEIGHED = "SimCLR weighs all images alike; leave `sample_weight` out."
REFUSED = {
    "labels": (lambda m: m.fit(VIEWS, LABELS, verbose=0), PAIRS.format("shape ('n',)")),
    "one view": (lambda m: m.fit(VIEWS, verbose=0), PAIRS.format("a NoneType")),
    "labels to judge by": (
        lambda m: m.fit(VIEWS, VIEWS, validation_data=(VIEWS, LABELS), verbose=0),
        PAIRS.format("shape ('n',)"),
    ),
    "sample_weight": (lambda m: m.fit(VIEWS, VIEWS, sample_weight=LABELS, verbose=0), WEIGHED),
    "of a batch": (lambda m: m.train_on_batch(VIEWS, VIEWS, sample_weight=LABELS), WEIGHED),
    "evaluated": (lambda m: m.evaluate(VIEWS, VIEWS, sample_weight=LABELS, verbose=0), WEIGHED),
    "class_weight": (
        lambda m: m.fit(VIEWS, VIEWS, class_weight={0: 1.0}, verbose=0),
        "SimCLR knows no classes; leave `class_weight` out.",
    ),
    "metrics": (
        lambda m: (m.compile("sgd", q.NTXent(0.2), metrics=["mse"]), m.fit(VIEWS, VIEWS, verbose=0)),
        "SimCLR has metrics of its own and no labels; leave `metrics` out of `compile`.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_contrastive_learning_has_no_place_for_is_refused_in_a_line(what):
    """It was ignored without a word, or ended in an error of some operation."""
    model = learner(head=layers.Identity())
    model.compile("sgd", q.NTXent(0.2))
    act, sentence = REFUSED[what]
    with pytest.raises(q.UserError) as caught:
        act(model)
    assert str(caught.value) == sentence


def test_held_out_pairs_are_judged():
    model = learner(head=layers.Identity())
    model.compile("sgd", q.NTXent(0.2))
    views = np.random.default_rng(0).random((2, 4, 4, 4, 1), np.float32)
    history = model.fit(*views, validation_data=tuple(views), epochs=1, verbose=0).history
    judged = model.evaluate(*views, return_dict=True, verbose=0)
    assert history["val_loss"] == [pytest.approx(judged["loss"], rel=1e-5)]


@pytest.mark.parametrize("place", ["head", "projector"])
def test_parts_of_a_users_own_class_need_no_shapes(place):
    model = learner(**{"head": layers.Identity(), place: Unaware()})
    assert len(model.trainable_variables) == (6 if place == "head" else 4)
    model.compile("sgd", q.NTXent(0.2))
    model.fit(VIEWS, VIEWS, verbose=0)


@pytest.mark.parametrize(("a", "b"), [((4, 3), (4, 2)), ((4,), (4,)), ((4, 2, 2), (4, 2, 2))])
def test_embeddings_are_two_tables_of_one_shape(a, b):
    with pytest.raises(q.UserError) as caught:
        q.NTXent(0.2)(np.ones(a), np.ones(b))
    assert str(caught.value) == f"NTXent must be given two views' embeddings of one shape (n, d); got {a} and {b}."


# Public function -> positional arguments that are right as far as types go.
FUNCTIONS = {
    q.pretrain: (),
    q.resume: ("runs/none",),
    q.linear_probe: ("runs/none",),
    q.load_run: ("runs/none",),
    q.run_on_device: ("runs/none",),
    q.compare: (["runs/none"],),
    q.write_report: ("runs/none",),
    q.draw_run: ("runs/none",),
    q.draw_circuit: ("circuit.png",),
    q.sample_views: (),
    q.to_qiskit: (),
    q.load_pretrained: ("digits-ring",),
    q.register_ansatz: ("mine",),
    q.register_encoder: ("mine",),
    q.register_dataset: ("mine",),
    q.register_objective: ("mine",),
    q.ImageData.from_arrays: (np.zeros((6, 4, 4)),),
    q.ImageData.from_folder: ("images",),
    q.ImageData.from_store: ("store",),
    q.make_store: ([], "store"),
}
# Annotation -> what it is not.
NOT_THOSE = {
    "str": (3, None, ["x"], b"x", np.zeros(2)),
    "str | None": (3, ["x"], True),
    "str | Path": (3, None, ["x"], True, q.Config()),
    "str | Path | None": (3, ["x"], True),
    "str | int": (None, 2.5, ["last"]),
    "int": ("3", None, 2.5, True, [3]),
    "int | None": ("3", 2.5, True, [3]),
    "float": ("1.5", None, True, [1.5]),
    "Sequence[int] | None": (3, "0-5", [1.5]),
    "float | None": ("0.2", True, [0.2]),
    "float | str | None": (True, [0.2], b"4m"),
    "bool": ("yes", 1, None),
    "Config | None": ("paper", {"width": 3}, 3, q.Config),
    "ImageData": (None, np.zeros((3, 4, 4)), (1, 2), "digits"),
    "ImageData | None": (np.zeros((3, 4, 4)), (1, 2), "digits"),
    "TrainedRun | str | Path": (None, 3, q.Config(), ["runs"]),
    "Circuit": (None, "ring", [1]),
    "Sequence[Qid] | None": (3, "ab", [1, 2]),
    "QuantumHead": (None, "ring", keras.layers.Dense(3)),
    "Sequence[str] | None": (3, "cat", [1, 2]),
    "Any": (),
}


def meant(function):
    """Return the function whose annotations count: ImageData's ways in are in modules of their own."""
    homes = {
        "from_arrays": "qssl_tf.data.arrays",
        "from_folder": "qssl_tf.data.folders",
        "from_store": "qssl_tf.data.store.data_sets",
    }
    name = function.__name__
    return getattr(importlib.import_module(homes[name]), name) if name in homes else function


def wrong_arguments():
    for function in FUNCTIONS:
        for name, parameter in inspect.signature(meant(function)).parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            words = inspect.formatannotation(parameter.annotation).replace("pathlib.", "").strip("'")
            words = re.sub(r"(qssl_tf|cirq)\.(\w+\.)+", "", words)
            for value in NOT_THOSE[words.replace("collections.abc.", "").replace("typing.", "")]:
                yield pytest.param(function, name, value, id=f"{function.__name__}-{name}-{type(value).__name__}")


@pytest.mark.parametrize(("function", "name", "value"), list(wrong_arguments()))
def test_public_functions_refuse_what_is_of_another_type(function, name, value, here_nothing):
    names = list(inspect.signature(meant(function)).parameters)
    given = dict(zip(names, FUNCTIONS[function], strict=False)) | {name: value}
    with pytest.raises(q.UserError) as error:
        function(**given)
    told = str(error.value)
    assert told.startswith(f"`{name}` must be ") and "\n" not in told and len(told) < 300, told
    assert not list(here_nothing.iterdir())


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_unknown_arguments_are_refused_with_the_nearest(function, here_nothing):
    names = list(inspect.signature(meant(function)).parameters)
    wrong = f"{names[0][:-1]}_{names[0][-1]}"  # as a slip of the finger leaves it
    with pytest.raises(q.UserError, match=f"has no argument `{wrong}`. Did you mean `{names[0]}`"):
        function(*FUNCTIONS[function], **{wrong: 1})


@pytest.mark.parametrize("made", [q.Config, q.QuantumHead])
def test_unknown_settings_are_refused_with_the_nearest(made):
    with pytest.raises(q.UserError) as error:
        made(widht=4)
    assert str(error.value) == f"{made.__name__} has no argument `widht`. Did you mean `width`?"


PATHS = {
    "load_run": lambda path: q.load_run(path),
    "load_run, as a Path": lambda path: q.load_run(Path(path)),
    "from_folder": lambda path: q.ImageData.from_folder(path),
    "from_store": lambda path: q.ImageData.from_store(path),
    "make_store": lambda path: q.make_store(path, "store"),
    "compare": lambda path: q.compare([path, path]),
    "linear_probe": lambda path: q.linear_probe(path),
    "data_dir": lambda path: q.ImageData.from_folder(q.Config(data_dir=path).data_dir),
    "store_dir": lambda path: q.ImageData.from_store(q.Config(store_dir=path).store_dir),
}


@pytest.mark.parametrize("call", PATHS.values(), ids=PATHS)
def test_a_path_may_begin_with_the_home_folder(call, here_nothing, monkeypatch):
    monkeypatch.setenv("HOME", str(here_nothing / "home"))
    with pytest.raises(q.UserError, match=re.escape(str(here_nothing / "home" / "none"))):
        call("~/none")
    assert not list(here_nothing.iterdir())


@pytest.mark.parametrize("call", PATHS.values(), ids=PATHS)
def test_a_path_without_a_meaning_is_refused_in_a_line(call, here_nothing):
    with pytest.raises(q.UserError, match=r"^`\w+` must be a path, without NUL characters; got 'a\\x00b'\.$"):
        call("a\0b")


def test_a_result_may_be_written_under_the_home_folder(here_nothing, monkeypatch):
    monkeypatch.setenv("HOME", str(here_nothing))
    assert q.draw_circuit("~/head.png", q.QuantumHead(2, layers=1)) == here_nothing / "head.png"
    assert (here_nothing / "head.png").is_file()


@pytest.fixture
def here_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: q.resume(),
            "resume cannot be called like this: missing a required argument: 'run'; it takes `run`, `data`, "
            "`previous_state`.",
        ),
        (
            lambda: q.load_run("a", "last", 3),
            "load_run cannot be called like this: too many positional arguments; it takes `folder`, `checkpoint`.",
        ),
        (
            lambda: q.pretrain(q.Config()),
            "`data` must be ImageData (as ImageData.from_arrays makes it) or None; got a Config. "
            "Did you mean `config`?",
        ),
    ],
)
def test_what_is_missing_too_much_or_in_another_place(call, sentence):
    with pytest.raises(q.UserError) as error:
        call()
    assert str(error.value) == sentence
