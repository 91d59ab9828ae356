import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from qssl_tf.config import Config
from qssl_tf.data.augment import AUGMENTATIONS
from qssl_tf.errors import UserError
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.few_labels import drawn_rows, few, fractions, part_of_each, per_class, probed_draws
from qssl_tf.evaluation.probe import probe
from qssl_tf.evaluation.subject import Subject
from qssl_tf.evaluation.trained_run import load_pretrained
from qssl_tf.models.build import build_simclr

NAMES = ("cat", "dog", "hen")
SETTINGS = Config(width=4, layers=1, head="identity", probe_protocol="clean", probe_epochs=2)


@pytest.fixture(scope="module")
def subject(digits_data):
    model = build_simclr(SETTINGS, (8, 8, 1), AUGMENTATIONS["digits"](8))
    return Subject(SimpleNamespace(), SETTINGS, 0, model, digits_data, "test", EvaluationOptions(draws=3))


@pytest.mark.parametrize("part", [0.1, 0.25, 0.37, 0.5])
def test_parts_are_shared_out_by_largest_remainders(part):
    labels = np.repeat([0, 1, 2], [70, 21, 9])
    counts = part_of_each(labels, NAMES, part)
    exact = part * np.array([70, 21, 9])
    assert counts.sum() == round(part * 100) and np.all(np.abs(counts - exact) < 1)
    remainders, extra = exact - np.floor(exact), counts - np.floor(exact)
    assert not extra.any() or remainders[extra == 1].min() >= remainders[extra == 0].max(initial=0)


def test_a_part_that_leaves_a_class_empty_names_it():
    with pytest.raises(UserError) as caught:
        part_of_each(np.repeat([0, 1, 2], [70, 4, 26]), NAMES, 0.1)
    assert str(caught.value) == (
        "`fractions` must leave each class an image, and 0.1 of 100 leaves class 'dog' without one, which has 4; take "
        "a larger part, or leave the judge out."
    )


def test_more_images_than_a_class_has_are_refused():
    assert per_class(np.repeat([0, 1, 2], [7, 5, 6]), NAMES, 5).tolist() == [5, 5, 5]
    with pytest.raises(UserError, match=r"and class 'dog' has 4; got 5\.$"):
        per_class(np.repeat([0, 1, 2], [7, 4, 6]), NAMES, 5)


def test_draws_hold_so_many_of_each_class_and_differ():
    labels = np.random.default_rng(0).integers(0, 3, 90)
    counts = np.array([4, 1, 9])
    draws = [drawn_rows(labels, counts, 0, draw) for draw in range(20)]
    for rows in draws:
        assert len(set(rows)) == 14 and np.bincount(labels[rows]).tolist() == [4, 1, 9]
        assert labels[rows].tolist() == labels[draws[0]].tolist()
    assert len({tuple(rows) for rows in draws}) == 20
    assert drawn_rows(labels, counts, 0, 3).tolist() == draws[3].tolist()
    drawn = np.bincount(np.concatenate(draws), minlength=90)
    assert all(np.count_nonzero(drawn[labels == label]) > counts[label] for label in range(3))


def test_draws_side_by_side_are_the_probe_of_each(subject, digits_data):
    """The probe of `qssl probe` on data whose training images are those of a draw, as often as an epoch is long."""
    counts = per_class(digits_data.train.labels, digits_data.class_names, 2)
    predicted, labels = probed_draws(subject, counts)
    rows = np.tile(drawn_rows(digits_data.train.labels, counts, 0, draw=1), 1437 // 20)
    alone = dataclasses.replace(digits_data, train=digits_data.train.take(rows))
    result, fit = probe(subject.model, alone, SETTINGS, 0)
    found = list(predicted)[1]
    judge = fit.predict(frozen_features(subject.model, digits_data.test.images))
    assert np.mean(found == judge) > 0.99 and result.n_train == len(rows)
    assert np.mean(found == labels) == pytest.approx(result.accuracy_last / 100, abs=0.006)


def test_few_labels_are_read_as_logistic_regression_reads_them(subject, digits_data):
    """On the features of the packaged run, with 100 of 1,437 labels; an untrained network's hardly differ."""
    config = dataclasses.replace(SETTINGS, probe_epochs=100)
    ready = dataclasses.replace(subject, model=load_pretrained("digits-ring").model, config=config)
    counts = per_class(digits_data.train.labels, digits_data.class_names, 10)
    predicted, labels = probed_draws(ready, counts)
    train = frozen_features(ready.model, digits_data.train.images)
    test = frozen_features(ready.model, digits_data.test.images)
    for draw, found in enumerate(predicted):
        rows = drawn_rows(digits_data.train.labels, counts, 0, draw)
        judge = LogisticRegression(C=100, max_iter=5000).fit(train[rows], digits_data.train.labels[rows])
        assert np.mean(found == labels) == pytest.approx(judge.score(test, labels), abs=0.05)


def test_readings_are_means_of_draws_with_students_interval(subject, digits_data):
    two = EvaluationOptions(images_per_class=[1, 3], draws=2)
    (name, reading), *others = few(dataclasses.replace(subject, options=two))
    assert [name, *(other for other, _ in others)] == ["1 a class", "3 a class"]
    counts = per_class(digits_data.train.labels, digits_data.class_names, 1)
    predicted, labels = probed_draws(dataclasses.replace(subject, options=two), counts)
    first, second = (100 * np.mean(one == labels) for one in predicted)
    half = 12.7062 * abs(first - second) / 2  # Student's t for one degree of freedom at 97.5 %, times sd / sqrt(2)
    assert reading.value == pytest.approx((first + second) / 2)
    assert (reading.low, reading.high) == pytest.approx((max(0, reading.value - half), reading.value + half), abs=1e-3)
    assert reading.over == "draws" and reading.majority == pytest.approx(100 * np.bincount(labels).max() / 360)
    assert reading.note.startswith("2 draws of 10 images, 360 test images, 4 features")


def test_parts_are_refused_before_any_work(subject):
    with pytest.raises(UserError, match=r"leaves class '8' without one, which has 139"):
        fractions(dataclasses.replace(subject, options=EvaluationOptions(fractions=[0.1, 0.001])))
