"""Stratified choices: equal to scikit-learn's where that covers every class; otherwise every class gets an image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split
from sklearn.utils import resample

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import prepare
from qssl_tf.data.stratify import stratified_sample, stratified_split

COUNTS = st.lists(st.integers(1, 60), min_size=2, max_size=8)


def labels_of(counts, unlabelled, seed):
    labels = np.concatenate([np.repeat(np.arange(len(counts)), counts), np.full(unlabelled, -1)])
    return np.random.default_rng(seed).permutation(labels)


@settings(max_examples=200, deadline=None)
@given(COUNTS, st.integers(0, 30), st.integers(0, 2**20), st.data())
def test_samples_have_the_requested_size_and_every_class(counts, unlabelled, seed, data):
    labels = labels_of(counts, unlabelled, seed)
    count = data.draw(st.integers(len(counts), len(labels)))
    rows = stratified_sample(labels, count, seed)
    assert len(np.unique(rows)) == len(rows) == count and set(range(len(counts))) <= set(labels[rows])
    judge = np.sort(
        resample(np.arange(len(labels)), replace=False, n_samples=count, stratify=labels, random_state=seed)
    )
    if set(range(len(counts))) <= set(labels[judge]):
        np.testing.assert_array_equal(rows, judge)


@settings(max_examples=200, deadline=None)
@given(COUNTS, st.integers(0, 30), st.integers(0, 2**20), st.floats(0.02, 0.9))
def test_splits_are_complete_and_have_every_class_on_both_sides(counts, unlabelled, seed, fraction):
    labels = labels_of(counts, unlabelled, seed)
    repeated = [label for label, count in enumerate(counts) if count > 1]
    splittable = np.flatnonzero(np.isin(labels, repeated))
    test_count = int(np.ceil(fraction * len(splittable)))
    if not repeated or test_count < len(repeated) or len(splittable) - test_count < len(repeated):
        with pytest.raises(ValueError):
            stratified_split(labels, fraction, seed)
        return
    train, test = stratified_split(labels, fraction, seed)
    assert np.sort(np.concatenate([train, test])).tolist() == list(range(len(labels)))
    assert set(labels[test]) == set(repeated) <= set(labels[train]) and len(test) == test_count
    _, judge = train_test_split(splittable, test_size=fraction, stratify=labels[splittable], random_state=seed)
    if set(labels[judge]) == set(repeated) == set(labels[np.setdiff1d(splittable, judge)]):
        np.testing.assert_array_equal(test, np.sort(judge))


def rare(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(labels), 8, 8), np.uint8)
    return ImageData.from_arrays(images, labels, test_images=images, test_labels=labels)


def test_a_rare_class_stays_among_few_training_images():
    data = prepare(rare([1000, 10]), Config(train_images=40, batch_size=8))
    assert np.bincount(data.train.labels).tolist() == [39, 1]


def test_a_rare_class_is_held_out_too():
    data = prepare(rare([100, 2, 2]), Config(validation_fraction=0.1, batch_size=8))
    assert np.bincount(data.validation.labels).tolist() == [9, 1, 1]


def test_a_single_image_trains_and_is_named(capsys):
    labels = np.repeat(["dog", "cat", "yeti"], [20, 19, 1])
    data = ImageData.from_arrays(np.zeros((40, 8, 8), np.uint8), labels, name="zoo")
    assert np.bincount(data.train.labels, minlength=3)[2] == 1 and set(data.test.labels) == {0, 1}
    output = "class yeti of zoo has a single image: it trains, and none is left to judge the class\n"
    assert capsys.readouterr().out == output
    assert set(prepare(data, Config(validation_fraction=0.2, batch_size=8)).validation.labels) == {0, 1}
    assert capsys.readouterr().out == output
