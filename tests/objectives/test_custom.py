"""Own objectives: registered in a few lines, trained, kept by name, and refused in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import qssl_tf as q
from qssl_tf.objectives.custom import OwnObjective
from qssl_tf.objectives.fingerprint import objective_fingerprint
from qssl_tf.objectives.table import OBJECTIVES

pytestmark = pytest.mark.usefixtures("own_words")
SMALL = {"width": 2, "layers": 1, "batch_size": 32, "steps": 2, "head": "classical", "projector": (4, 4)}


def test_ten_lines_train_and_are_probed(tmp_path):
    @q.register_objective("alignment", predictor=True, target=True)
    def alignment(others, predictions):
        """Squared distances of directions, one for each row."""
        others, predictions = (tf.math.l2_normalize(z, axis=1) for z in (others, predictions))
        return tf.reduce_sum((others - predictions) ** 2, axis=1)

    config = q.Config(objective="alignment", **SMALL)
    run = q.pretrain(config=config, runs_dir=tmp_path, name="mine")
    assert run.model.predictor is not None and run.model.target is not None
    again = q.load_run(run.folder)
    assert again.model.loss.objective == "alignment"
    twin = q.pretrain(config=q.Config(objective="byol", **SMALL), runs_dir=tmp_path, name="twin")
    losses = [np.genfromtxt(r.folder / "history.csv", delimiter=",", names=True)["loss"] for r in (run, twin)]
    # 2 - 2 cos counts twice there; Adam does not see the factor.
    np.testing.assert_allclose(2 * losses[0], losses[1], rtol=1e-4)


def test_one_number_for_the_batch_and_the_loop_that_it_is():
    q.register_objective("spread")(lambda z_a, z_b: tf.reduce_mean((z_a - z_b) ** 2))
    a, b = np.random.default_rng(0).random((2, 4, 3), np.float32)
    judge = sum((a[i, j] - b[i, j]) ** 2 for i in range(4) for j in range(3)) / 12
    np.testing.assert_allclose(OwnObjective("spread")(a, b), judge, rtol=1e-6)


def test_labels_arrive(tmp_path):
    seen = []

    @q.register_objective("labelled", labels=True)
    def labelled(labels, z):
        seen.append((tuple(labels.shape), tuple(z.shape)))
        return tf.reduce_sum(z**2, axis=(1, 2)) * (labels + 1)

    q.pretrain(config=q.Config(objective="labelled", **SMALL), runs_dir=tmp_path)
    assert seen[0] == ((32,), (32, 2, 4))


def fails(z_a, z_b):
    raise RuntimeError("no such luck")


WRONG = {
    "fails": (fails, "the function of `objective` 'mine' failed with RuntimeError: no such luck."),
    "a table": (
        lambda z_a, z_b: z_a - z_b,
        "`objective` 'mine' must return a number for each row, or one for the batch; got shape (32, 4).",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_function_that_does_something_else_is_one_line(case, tmp_path):
    function, sentence = WRONG[case]
    q.register_objective("mine")(function)
    with pytest.raises(q.UserError) as caught:
        q.pretrain(config=q.Config(objective="mine", **SMALL), runs_dir=tmp_path)
    assert str(caught.value) == sentence


def test_names_and_needs_are_checked_before_anything_is_kept():
    with pytest.raises(q.UserError, match=r"^`objective` 'byol' is one of the library's; choose another name"):
        q.register_objective("byol")(lambda a, b: a)
    with pytest.raises(q.UserError, match="^`queue` must come with `target`"):
        q.register_objective("mine", queue=True)(lambda a, b: a)
    assert "mine" not in OBJECTIVES


def test_a_file_whose_objective_is_nowhere_names_it():
    q.register_objective("mine")(lambda z_a, z_b: z_a[:, 0])
    kept = keras.saving.serialize_keras_object(OwnObjective("mine"))
    assert keras.saving.deserialize_keras_object(kept).objective == "mine"
    kept["config"]["objective"] = "yours"
    with pytest.raises(q.UserError) as caught:
        keras.saving.deserialize_keras_object(kept)
    assert str(caught.value) == (
        "`objective` must be a registered one; got 'yours'; load its file by --plugin FILE, or an import."
    )


FIRST = """
import tensorflow as tf, qssl_tf as q
WEIGHT = 1.0
def near(z_a, z_b):
    return tf.reduce_sum((z_a - z_b) ** 2, axis=1)
@q.register_objective("mine")
def mine(z_a, z_b):
    spread = tf.cond(tf.reduce_mean(z_a) > 0.0, lambda: tf.reduce_mean(z_a), lambda: -tf.reduce_mean(z_a))
    return WEIGHT * near(z_a, z_b) - spread + 0.0 * tf.random.uniform((32,))
"""
SAME = {
    "a comment": ("WEIGHT = 1.0", "WEIGHT = 1.0  # of the distance"),
    "other names": ("z_b", "other"),
}
OTHER = {
    "a constant of the file": ("WEIGHT = 1.0", "WEIGHT = 2.0"),
    "a function that it calls": ("** 2", "** 4"),
    "a branch of a condition": ("lambda: -tf", "lambda: 2 * tf"),
    "an axis": ("(z_a - z_b) ** 2, axis=1", "(z_a - z_b) ** 2, axis=0, keepdims=False"),
    "an operation": ("tf.reduce_sum", "tf.reduce_max"),
    "which is subtracted": ("WEIGHT * near(z_a, z_b) - spread", "spread - WEIGHT * near(z_a, z_b)"),
}


def fingerprint_of(source):
    exec(source, {})  # as a plugin is loaded
    needs = OBJECTIVES["mine"]
    return objective_fingerprint(needs.loss(q.Config()), needs, rows=32, embeddings=32)


@pytest.mark.parametrize("case", [*SAME, *OTHER])
def test_another_function_has_another_fingerprint_and_another_spelling_has_not(case):
    first = fingerprint_of(FIRST)
    tf.random.set_seed(3)  # which a function that draws numbers is traced with
    changed = FIRST.replace(*(SAME | OTHER)[case])
    assert changed != FIRST
    assert (fingerprint_of(changed) == first) is (case in SAME)


@pytest.mark.parametrize("needs", [{}, {"target": True, "queue": True}], ids=str)
def test_a_run_with_another_objective_than_it_was_begun_with_is_not_resumed(needs, tmp_path):
    def register(power):
        @q.register_objective("mine", **needs)
        def mine(y_true, y_pred):
            return tf.reduce_sum(tf.abs(y_pred) ** power, axis=1) + 0.0 * tf.reduce_sum(y_true)

    register(2)
    run = q.pretrain(config=q.Config(objective="mine", queue_size=48, **SMALL), runs_dir=tmp_path, name="run")
    register(3)
    with pytest.raises(q.UserError) as caught:
        q.resume(run.folder)
    assert str(caught.value) == (
        f"`objective` 'mine' is another than the one {run.folder} was trained with; register that one, or train a new "
        "run."
    )
    assert q.load_run(run.folder).step == 2  # whoever only looks at features needs no loss
    register(2)
    q.resume(run.folder)
