"""Balanced accuracy and largest class, against scikit-learn on the labels themselves."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from qssl_tf.evaluation.scores import confusion_matrix, score, with_class_balance


def test_always_predicting_the_largest_class_has_chance_balanced_accuracy():
    labels = np.repeat([0, 1], [390, 10])
    scores = score(confusion_matrix(labels, np.zeros(400, int), 2))
    assert (scores.accuracy, scores.balanced, scores.majority) == (97.5, 50.0, 97.5)
    assert str(scores) == "97.5 % (balanced 50.0 %, largest class 97.5 %)"


@pytest.mark.parametrize("seed", range(5))
def test_all_scores_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.choice(4, 200, p=(0.6, 0.3, 0.08, 0.02)), rng.integers(0, 4, 200)
    scores = score(confusion_matrix(labels, predicted, 4))
    assert scores.accuracy == pytest.approx(100 * accuracy_score(labels, predicted))
    assert scores.balanced == pytest.approx(100 * balanced_accuracy_score(labels, predicted))
    dummy = DummyClassifier(strategy="most_frequent").fit(labels[:, None], labels)
    assert scores.majority == pytest.approx(100 * dummy.score(labels[:, None], labels))


def test_classes_without_images_do_not_count():
    scores = score([[3, 0, 1], [0, 0, 0], [0, 2, 2]])
    assert (scores.accuracy, scores.balanced, scores.majority) == (62.5, 62.5, 50.0)


@pytest.mark.parametrize("counts", [None, "x", [], [[]], [[1, 2]], [[-1, 2], [3, 4]], [[0, 0], [0, 0]], [[1, 2], [3]]])
def test_a_file_without_a_confusion_matrix_is_returned_unchanged(counts):
    assert with_class_balance({"confusion": counts}) == {"confusion": counts}
    assert with_class_balance([]) == []
