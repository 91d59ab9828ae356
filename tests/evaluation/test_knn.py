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


@pytest.mark.parametrize("temperature", [0.07, 0.1])
@pytest.mark.parametrize("neighbours", [20, 200])
def test_weighted_votes_are_those_of_the_paper(neighbours, temperature):
    """arXiv:1805.01978, Section 3.4: each of the k nearest votes with exp(cosine / temperature)."""
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(300, 4)), rng.normal(size=(40, 4)) * rng.uniform(0.1, 9, (40, 1))
    labels = rng.integers(0, 5, 300)
    judge = []
    for row in test:
        cosine = train @ row / np.linalg.norm(train, axis=1) / np.linalg.norm(row)
        votes = np.zeros(5)
        for near in np.argsort(-cosine)[:neighbours]:
            votes[labels[near]] += np.exp(cosine[near] / temperature)
        judge.append(np.argmax(votes))
    found = knn_labels(train, labels, test, neighbours, temperature)
    assert found.tolist() == judge
    assert found.tolist() != knn_labels(train, labels, test, neighbours).tolist()


def test_weighted_votes_are_those_of_scikit_learn_on_cosines():
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(1)
    train, test, labels = rng.normal(size=(90, 6)), rng.normal(size=(50, 6)), rng.integers(0, 3, 90)
    judge = KNeighborsClassifier(20, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / 0.07))
    judge.fit(train, labels)
    assert knn_labels(train, labels, test, 20, 0.07).tolist() == judge.predict(test).tolist()
