"""Runs with judges: an online probe that changes nothing and is resumed exactly, and the alarm of collapse."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from judges.rounding import saved_arrays

import qssl_tf as q
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError
from qssl_tf.training.callbacks import HistoryLog
from qssl_tf.training.checkpoints import read_state
from qssl_tf.training.fit import build
from qssl_tf.training.runs import open_run

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
    kernel, bias = ([a for a in arrays.values() if a.shape == shape][0] for shape in ((3, 10), (10,)))
    images = judged.data.test
    right = np.argmax(judged.features(images.images) @ kernel + bias, axis=1) == images.labels
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


LONGER = q.Config(
    objective="simsiam", head="identity", projector=(32, 16), steps=60, batch_size=32, learning_rate=5e-3,
    checkpoint_every=1000,
)  # fmt: skip


def test_simsiam_without_its_stop_gradient_raises_the_alarm_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tf, "stop_gradient", tf.identity)
    run = q.pretrain(config=LONGER, runs_dir=tmp_path, name="collapsed")
    said = [line for line in capsys.readouterr().err.splitlines() if "collapsed: for" in line]
    assert len(said) == 1 and len(rows(run)) == 60
    assert "of the standard deviation of random directions (least: 0.1); training goes on, but another" in said[0]
    assert float(rows(run)[-1]["embedding_std"]) < 0.1


def test_simsiam_as_it_is_raises_none(tmp_path, capsys):
    run = q.pretrain(config=LONGER, runs_dir=tmp_path, name="healthy")
    assert "collapsed" not in capsys.readouterr().err
    assert float(rows(run)[-1]["embedding_std"]) > 0.5
