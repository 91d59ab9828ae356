import numpy as np
import pytest

from qssl_tf.evaluation.knn import knn_labels


@pytest.mark.parametrize("neighbours", [1, 5])
def test_labels_are_the_vote_of_the_nearest_by_cosine(neighbours):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(60, 3)), rng.normal(size=(25, 3)) * rng.uniform(0.1, 9, (25, 1))
    labels, truth = rng.integers(0, 3, 60), rng.integers(0, 3, 25)
    correct = 0
    for row, label in zip(test, truth, strict=True):
        cosine = train @ row / np.linalg.norm(train, axis=1) / np.linalg.norm(row)
        votes = np.bincount(labels[np.argsort(-cosine)[:neighbours]], minlength=3)
        correct += np.argmax(votes) == label  # a tie goes to the smaller label, as in scikit-learn
    assert np.sum(knn_labels(train, labels, test, neighbours) == truth) == correct


def test_few_training_rows():
    x = np.eye(3)
    assert knn_labels(x, np.array([0, 0, 0]), x).tolist() == [0, 0, 0]
