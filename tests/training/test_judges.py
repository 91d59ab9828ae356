"""Runs with judges: an online probe that changes nothing and is resumed exactly, and the alarm of collapse."""

import csv
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from judges.rounding import saved_arrays

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError
from qssl_tf.models.build import build_predictor, build_projector
from qssl_tf.models.encoders import build_encoder
from qssl_tf.objectives.predictive import SimSiam
from qssl_tf.training.callbacks import HistoryLog
from qssl_tf.training.checkpoints import read_state
from qssl_tf.training.fit import build
from qssl_tf.training.runs import open_run
from qssl_tf.training.session import new_session

SMALL = q.Config(width=3, layers=1, steps=6, batch_size=32, checkpoint_every=2)


def rows(run, name="history.csv"):
    with open(run.folder / name, encoding="utf-8") as table:
        return list(csv.DictReader(table))


def without(table, *columns):
    return [{name: value for name, value in row.items() if name not in columns} for row in table]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return q.pretrain(config=replace(SMALL, online_probe=True), runs_dir=tmp_path_factory.mktemp("runs"), name="judged")


@pytest.mark.parametrize("settings", [{}, {"shots": 10}], ids=["exact", "shots"])
def test_the_run_is_the_same_to_the_last_bit(tmp_path, judged, settings):
    plain = q.pretrain(config=replace(SMALL, **settings), runs_dir=tmp_path, name="plain")
    if settings:
        judged = q.pretrain(config=replace(SMALL, online_probe=True, **settings), runs_dir=tmp_path, name="judged")
    for step in (1, 3, 5, 6):
        first, second = (saved_arrays(open_run(run.folder).checkpoint(step)) for run in (plain, judged))
        assert set(first) == set(second)
        for name, array in first.items():
            np.testing.assert_array_equal(array, second[name], err_msg=f"{name} at step {step}")
    assert without(rows(plain), "seconds") == without(rows(judged), "seconds", "online_accuracy")


def test_history_and_tensorboard_have_the_figures(judged):
    table = rows(judged)
    assert list(table[0])[-3:] == ["embedding_std", "effective_rank", "online_accuracy"]
    assert all(0 <= float(row["online_accuracy"]) <= 1 and 0 < float(row["embedding_std"]) <= 1.05 for row in table)
    assert all(1 <= float(row["effective_rank"]) <= 3 for row in table)
    (events,) = (judged.folder / "tensorboard").iterdir()
    found = {
        (event.step, value.tag): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    for row in table:
        for name in ("embedding_std", "effective_rank", "online_accuracy"):
            assert found[int(row["step"]), name] == pytest.approx(float(row[name]), rel=1e-6)


def test_held_out_images_are_scored_at_each_checkpoint_with_the_kept_classifier(judged):
    table = rows(judged, "online.csv")
    assert [row["step"] for row in table] == ["1", "3", "5", "6"]
    _, arrays = read_state(open_run(judged.folder).state)
    kept = [arrays[name] for name in sorted(arrays)]
    first = next(number for number, array in enumerate(kept) if array.shape == (3, 10))
    kernel, bias, mean, variance = kept[first + 2 : first + 6]
    images = judged.data.test
    rows_of_features = (judged.features(images.images) - mean) / np.sqrt(variance)
    right = np.argmax(rows_of_features @ kernel + bias, axis=1) == images.labels
    assert float(table[-1]["accuracy"]) == pytest.approx(right.mean(), abs=2.1 / 360)  # ties by rounding


class Cut(Exception):
    """Ends a process, as a kill does."""


def test_a_run_goes_on_to_the_same_bits(tmp_path, judged, monkeypatch):
    write = HistoryLog.after_step

    def until_step_4(self, step, logs):
        write(self, step, logs)
        if step == 4:
            raise Cut

    with monkeypatch.context() as patched, pytest.raises(Cut):
        patched.setattr(HistoryLog, "after_step", until_step_4)
        q.pretrain(config=replace(SMALL, online_probe=True), runs_dir=tmp_path, name="cut")
    resumed = q.resume(tmp_path / "cut")
    for name in ("history.csv", "online.csv"):
        assert without(rows(resumed, name), "seconds") == without(rows(judged, name), "seconds")
    (_, first), (_, second) = (read_state(open_run(run.folder).state) for run in (judged, resumed))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_images_without_labels_are_refused(digits_data):
    unlabelled = replace(
        digits_data, train=Split(digits_data.train.images, np.full(len(digits_data.train), -1)), name="mine"
    )
    with pytest.raises(UserError) as refused:
        build(replace(SMALL, online_probe=True), unlabelled)
    assert str(refused.value) == (
        "`online_probe=True` needs labels, and the images of mine have none; take images with labels, or "
        "`online_probe=False`."
    )


def simsiam_run(folder, data):
    """Train SimSiam for 60 steps, with a projector that does not normalise its outputs, and return its history."""
    config = q.Config(objective="simsiam", head="identity", steps=60, batch_size=32, checkpoint_every=1000)
    augment = augmentation(config, data.image_shape)
    encoder = build_encoder("small_cnn", data.image_shape, width=8)
    projector, predictor = build_projector(8, widths=(32, 16)), build_predictor(16)
    model = q.SimCLR(encoder, keras.layers.Identity(), projector, predictor=predictor)
    model.compile(keras.optimizers.Adam(5e-3), SimSiam())
    session = new_session(config, data, folder, "run", (model, augment))
    session.train()
    return rows(session.run)


def test_simsiam_without_its_stop_gradient_raises_the_alarm_once(tmp_path, monkeypatch, capsys, digits_data):
    monkeypatch.setattr(tf, "stop_gradient", tf.identity)
    table = simsiam_run(tmp_path, digits_data)
    said = re.findall(r"note: at step (\d+) the embeddings have collapsed: (.*)", capsys.readouterr().err)
    assert len(said) == 1 and len(table) == 60  # it went on
    step, what = int(said[0][0]), said[0][1]
    assert re.fullmatch(
        r"for 10 steps those of all images point the same way, with 0\.\d+ of the standard deviation of random "
        r"directions \(least: 0\.1\); training goes on, but another `objective`, a lower `learning_rate` or a larger "
        r"`batch_size` may serve better\.",
        what,
    )
    assert all(float(row["embedding_std"]) < 0.1 for row in table[step - 10 : step])


def test_simsiam_with_it_raises_none(tmp_path, capsys, digits_data):
    table = simsiam_run(tmp_path, digits_data)
    assert "collapsed" not in capsys.readouterr().err
    assert float(table[-1]["embedding_std"]) > 0.5
