"""What stands beside an accuracy, against scikit-learn on the labels themselves."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from qssl_tf.evaluation.scores import completed, confusion_matrix, score


def test_always_naming_the_largest_class_is_no_achievement():
    labels = np.repeat([0, 1], [390, 10])
    found = score(confusion_matrix(labels, np.zeros(400, int), 2))
    assert (found.accuracy, found.balanced, found.majority) == (97.5, 50.0, 97.5)
    assert str(found) == "97.5 % (balanced 50.0 %, largest class 97.5 %)"


@pytest.mark.parametrize("seed", range(5))
def test_the_three_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.choice(4, 200, p=(0.6, 0.3, 0.08, 0.02)), rng.integers(0, 4, 200)
    found = score(confusion_matrix(labels, predicted, 4))
    assert found.accuracy == pytest.approx(100 * accuracy_score(labels, predicted))
    assert found.balanced == pytest.approx(100 * balanced_accuracy_score(labels, predicted))
    always = DummyClassifier(strategy="most_frequent").fit(labels[:, None], labels)
    assert found.majority == pytest.approx(100 * always.score(labels[:, None], labels))


def test_classes_without_images_do_not_count():
    found = score([[3, 0, 1], [0, 0, 0], [0, 2, 2]])
    assert (found.accuracy, found.balanced, found.majority) == (62.5, 62.5, 50.0)


@pytest.mark.parametrize("counts", [None, "x", [], [[]], [[1, 2]], [[-1, 2], [3, 4]], [[0, 0], [0, 0]], [[1, 2], [3]]])
def test_a_file_without_counts_stays_as_it_is(counts):
    assert completed({"confusion": counts}) == {"confusion": counts}
    assert completed([]) == []
