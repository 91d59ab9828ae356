"""The way from images to a judged run in Python, against the commands' files and loops by hand."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import qssl_tf as q

# isort: split
import keras
import tensorflow as tf

from qssl_tf.data.pipeline import as_float
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.fit import build
from qssl_tf.training.runs import open_run

SETTINGS = q.Config(width=2, layers=1, steps=6, batch_size=16, checkpoint_every=3, probe_epochs=3)
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = q.ImageData.from_arrays(IMAGES, LABELS)
    return q.pretrain(data, SETTINGS, runs_dir=tmp_path_factory.mktemp("runs"), name="own")


def test_a_run_is_a_folder_like_those_of_the_commands(run):
    kept = {path.name for path in run.folder.iterdir()}
    assert {"config.json", "data.json", "versions.json", "history.csv", "model.keras", "checkpoints"} <= kept
    assert run.step == 6 and run.class_names == ("0", "1", "2") and run.config.dataset == "arrays"
    facts = json.loads((run.folder / "data.json").read_text())
    assert facts["image_shape"] == [8, 8, 1] and facts["train_images"] == 48
    assert (run.folder.parent / "latest").resolve() == run.folder.resolve()


def test_it_is_read_without_its_images(run):
    again, data = q.load_run(run.folder), q.ImageData.from_arrays(IMAGES, LABELS)
    assert again.own_data is None and again.step == 6 and again.class_names == run.class_names
    features = again.features(IMAGES[:7])
    np.testing.assert_array_equal(features, run.features(IMAGES[:7]))
    model, _ = build(run.config, data)  # by hand
    load_weights(open_run(run.folder), model, 6)
    by_hand = model.features(as_float(IMAGES[:7, ..., None])).numpy()
    np.testing.assert_allclose(features, by_hand, atol=1e-5)
    before = q.load_run(run.folder, checkpoint=0)
    assert before.step == 0 and np.abs(before.features(IMAGES[:7]) - features).max() > 1e-3


def test_a_probe_predicts_what_it_counted(run):
    result = q.linear_probe(run, probe_epochs=4)
    held = q.ImageData.from_arrays(IMAGES, LABELS).test
    assert 100 * np.mean(run.predict(held.images) == held.labels) == pytest.approx(result.accuracy_last)
    assert json.loads((run.folder / "probe.json").read_text())["accuracy_last"] == result.accuracy_last
    assert q.linear_probe(run.folder, q.ImageData.from_arrays(IMAGES, LABELS)).step == 6
    with pytest.raises(q.UserError, match="was probed at step 6, and these are the weights of 0"):
        q.load_run(run.folder, 0).predict(IMAGES[:2])


def test_resuming_a_finished_run_gives_it_back(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    again = q.resume(copy, q.ImageData.from_arrays(IMAGES, LABELS))
    np.testing.assert_array_equal(again.features(IMAGES[:5]), run.features(IMAGES[:5]))


def test_training_leaves_tensorflow_as_it_was(run):
    """Operations without a seed work again, which TensorFlow's determinism refuses."""
    from tensorflow.python.framework import config

    assert not config.is_op_determinism_enabled()
    tf.raw_ops.RandomShuffle(value=tf.range(3), seed=0, seed2=0)
    head = q.QuantumHead(2, shots=10, gradient="parameter_shift", noise="depolarizing=0.01")
    model = keras.Sequential([keras.Input((2,)), head])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 2), np.float32), np.ones((4, 2)), batch_size=2, verbose=0)  # shuffles


def test_other_images_are_refused(run):
    with pytest.raises(q.UserError, match="was trained on other images than these 48 of arrays"):
        q.resume(run.folder, q.ImageData.from_arrays(255 - IMAGES, LABELS))
    with pytest.raises(q.UserError, match="images of your own .'arrays'.; pass them as `data`, or register"):
        q.resume(run.folder)


def test_images_without_labels_train_and_are_not_probed(tmp_path):
    run = q.pretrain(q.ImageData.from_arrays(IMAGES), SETTINGS, runs_dir=tmp_path, name="bare")
    assert run.class_names == () and run.features(IMAGES[:2]).shape == (2, 2)
    with pytest.raises(q.UserError) as error:
        q.linear_probe(run)
    assert str(error.value) == "a linear probe needs labels, and arrays has none; train on images that have them."


def test_bad_words_are_one_line(run, tmp_path):
    for call, sentence in (
        (lambda: run.features(IMAGES[:2, :4]), "`images` must have the shape (n, 8, 8, 1); got (2, 4, 8, 1)."),
        (lambda: q.linear_probe(run, seed=3), "`seed` is the run's and stands; a probe takes settings that begin with "
         "probe_."),
        (lambda: q.load_run(run.folder, 5), "`checkpoint` must be all, last or one of 0, 1, 4, 6; got '5'."),
        (lambda: q.load_run(run.folder, "all"), "`checkpoint` must be last or a step, for one set of "
         "weights; got 'all'."),
        (lambda: q.load_run(tmp_path / "no"), f"run folder {tmp_path / 'no'} does not exist; {tmp_path} holds no runs: "
         "make one with `qssl pretrain`."),
        (lambda: q.pretrain(q.ImageData.from_arrays(IMAGES[:8]), SETTINGS), "`batch_size` must be at most the number "
         "of training images (6); got 16."),
    ):  # fmt: skip
        with pytest.raises(q.UserError) as error:
            call()
        assert str(error.value) == sentence


@pytest.mark.parametrize(
    "text", ['{"image_shape": [8, 8]}', '{"image_shape": [1e9, 8, 1], "class_names": []}', "[", "[]"]
)
def test_a_damaged_record_of_the_images_is_one_line(run, tmp_path, text):
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    (copy / "data.json").write_text(text)
    with pytest.raises(q.UserError, match=r"data.json does not describe images \(.*\); restore it, or remove it\."):
        q.load_run(copy)


def test_a_run_trains_in_a_thread_that_is_not_the_first(tmp_path):
    """Signals belong to the main thread; a web server or a notebook's executor trains in another."""
    data = q.ImageData.from_arrays(IMAGES, LABELS)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(q.pretrain, data, SETTINGS, runs_dir=tmp_path, name="thread").result()
    again = q.pretrain(data, SETTINGS, runs_dir=tmp_path, name="main")
    np.testing.assert_array_equal(run.features(IMAGES), again.features(IMAGES))


def test_a_run_hands_out_the_images_that_its_settings_name(tmp_path):
    config = q.Config(width=2, steps=2, batch_size=16, train_images=40)
    run = q.pretrain(config=config, runs_dir=tmp_path, name="digits")
    opened = q.load_run(run.folder)
    assert opened.data.train.fingerprint() == run.data.train.fingerprint() and len(opened.data.train) == 40
    own = q.load_run(
        q.pretrain(q.ImageData.from_arrays(IMAGES, LABELS), SETTINGS, runs_dir=tmp_path, name="own").folder
    )
    with pytest.raises(q.UserError, match="pass them as `data`, or register"):
        _ = own.data
