import keras
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from qssl_tf.evaluation.linear import fit_linear

OPTIONS = {"classes": 3, "epochs": 60, "batch_size": 10, "learning_rate": 0.05, "seed": 0}


@pytest.fixture
def iris():
    features, labels = load_iris(return_X_y=True)
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    return features[::2], labels[::2], features[1::2], labels[1::2]


def test_it_finds_the_maximum_likelihood_boundary(iris):
    x, y, test_x, test_y = iris
    (fit,) = fit_linear(lambda epoch: x[None], y, test_x[None], test_y, **OPTIONS)
    judge = LogisticRegression(C=1e3, max_iter=10_000).fit(x, y)
    assert abs(fit.test_accuracy[-1] - 100 * judge.score(test_x, test_y)) <= 3
    assert np.mean(fit.predict(test_x) == judge.predict(test_x)) > 0.95
    assert fit.test_accuracy[-1] == pytest.approx(100 * np.mean(fit.predict(test_x) == test_y))


def test_features_are_requested_once_per_epoch(iris):
    x, y, test_x, test_y = iris
    epochs = []
    fit_linear(lambda epoch: (epochs.append(epoch), x[None])[1], y, test_x[None], test_y, **OPTIONS | {"epochs": 4})
    assert epochs == [0, 1, 2, 3]


def test_the_learning_rate_falls_after_60_and_80_percent_of_the_epochs(iris, monkeypatch):
    x, y, test_x, test_y = iris
    optimizers, rates = [], []

    class RecordedAdam(keras.optimizers.Adam):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            optimizers.append(self)

    monkeypatch.setattr("keras.optimizers.Adam", RecordedAdam)
    fit_linear(
        lambda epoch: (rates.append(float(optimizers[0].learning_rate)), x[None])[1],
        y,
        test_x[None],
        test_y,
        **OPTIONS | {"epochs": 10},
    )
    assert rates == pytest.approx([0.05] * 6 + [0.005] * 2 + [0.0005] * 2)


def test_test_labels_do_not_change_the_fit(iris):
    x, y, test_x, test_y = iris
    (first,) = fit_linear(lambda epoch: x[None], y, test_x[None], test_y, **OPTIONS)
    (second,) = fit_linear(lambda epoch: x[None], y, test_x[None], np.roll(test_y, 7), **OPTIONS)
    np.testing.assert_array_equal(first.kernel, second.kernel)


def test_regressions_trained_side_by_side_are_independent(iris):
    x, y, test_x, test_y = iris
    stacks = [np.stack([part, part[:, ::-1] ** 2, 0.1 * part]) for part in (x, test_x)]
    together = fit_linear(lambda epoch: stacks[0], y, stacks[1], test_y, **OPTIONS)
    for index, fit in enumerate(together):
        (alone,) = fit_linear(
            lambda epoch, own=index: stacks[0][own : own + 1], y, stacks[1][index : index + 1], test_y, **OPTIONS
        )
        np.testing.assert_allclose(fit.kernel, alone.kernel, atol=1e-4)
        np.testing.assert_allclose(fit.bias, alone.bias, atol=1e-4)
        assert fit.test_accuracy == pytest.approx(alone.test_accuracy, abs=100 / len(test_y) + 1e-6)
