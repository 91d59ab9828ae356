"""Linear probes with few labels: parts of them, or a few images of each class, drawn several times."""

from collections.abc import Iterator, Sequence

import numpy as np

from qssl_tf.errors import UserError
from qssl_tf.evaluation.features import features_of
from qssl_tf.evaluation.probe import fit_probes, training_passes
from qssl_tf.evaluation.readings import Readings, judged_labels, mean_accuracy
from qssl_tf.evaluation.subject import Subject

STREAM = 11  # of random numbers, mixed into the seed: the draws
# Few images are repeated, up to so many rows, so that an epoch has as many steps as with all labels: with epochs of one
# step, 100 of them would be 100 steps of Adam and leave the probe untrained.
EPOCH_ROWS = 10_000


def few(subject: Subject) -> Readings:
    """Yield the accuracy of few-shot linear probes, `images_per_class` images of each class, mean of the draws.

    Raises:
        UserError: A class has fewer images.
    """
    train, _ = subject.labelled
    sizes = {
        f"{count} a class": per_class(train.labels, subject.data.class_names, count)
        for count in subject.options.images_per_class
    }
    return _probed(subject, sizes)


def fractions(subject: Subject) -> Readings:
    """Yield the accuracy of linear probes with `fractions` of the labels, mean of the draws.

    Raises:
        UserError: A part leaves a class without an image.
    """
    train, _ = subject.labelled
    sizes = {
        f"{percent(part)} of the labels": part_of_each(train.labels, subject.data.class_names, part)
        for part in subject.options.fractions
    }
    return _probed(subject, sizes)


def percent(part: float) -> str:
    """Return a part in words, such as `10 %`."""
    return f"{100 * part:g} %"


def per_class(labels: np.ndarray, names: Sequence[str], count: int) -> np.ndarray:
    """Return how many images of each class to draw, int64, shape (classes,): `count` of each.

    Raises:
        UserError: A class has fewer.
    """
    there = np.bincount(labels, minlength=len(names))
    if np.any(there < count):
        rarest = int(np.argmin(there))
        raise UserError(
            f"`images_per_class` must be at most the labelled training images of each class, and class "
            f"'{names[rarest]}' has {there[rarest]}; got {count}."
        )
    return np.full(len(names), count)


def part_of_each(labels: np.ndarray, names: Sequence[str], part: float) -> np.ndarray:
    """Return how many images of each class to draw, int64, shape (classes,), in proportion (largest remainders).

    Raises:
        UserError: A class gets none.
    """
    there = np.bincount(labels, minlength=len(names))
    shares = part * there
    counts = np.floor(shares).astype(np.int64)
    missing = round(part * len(labels)) - counts.sum()
    counts[np.argsort(counts - shares, kind="stable")[: max(0, missing)]] += 1
    if not np.all(counts):
        empty = int(np.flatnonzero(counts == 0)[np.argmin(there[counts == 0])])
        raise UserError(
            f"`fractions` must leave each class an image, and {part:g} of {len(labels)} leaves class "
            f"'{names[empty]}' without one, which has {there[empty]}; take a larger part, or leave the judge out."
        )
    return counts


def drawn_rows(labels: np.ndarray, counts: np.ndarray, seed: int, draw: int) -> np.ndarray:
    """Return rows drawn without replacement, `counts` of each class, in the order of the classes.

    Labels of all draws of the same counts are therefore equal, row by row, so that their probes run side by side.

    Args:
        labels: Shape (n,).
        counts: Images of each class, shape (classes,).
        seed: Of the run.
        draw: Number of the draw.
    """
    rng = np.random.default_rng((seed, STREAM, draw))
    rows = [
        np.sort(rng.choice(np.flatnonzero(labels == label), count, replace=False)) for label, count in enumerate(counts)
    ]
    return np.concatenate(rows)


def _probed(subject: Subject, sizes: dict[str, np.ndarray]) -> Readings:
    for name, counts in sizes.items():
        predicted, labels = probed_draws(subject, counts)
        scores = [judged_labels(labels, one, subject.classes) for one in predicted]
        note = f"{len(scores)} draws of {counts.sum()} images, {subject.about}"
        yield name, mean_accuracy(scores, "draws", note)


def probed_draws(subject: Subject, counts: np.ndarray) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """Train a linear probe on each draw of `counts` images of each class.

    Epochs, learning rate and views are the probe's. An epoch takes each image several times, so that it has as many
    steps as with all labels.

    Returns:
        Predicted labels of the images that judge, by draw, and the true ones, both shape (m,).
    """
    train, judged = subject.labelled
    seed, draws = subject.config.seed, subject.options.draws
    rows = np.stack([drawn_rows(train.labels, counts, seed, draw) for draw in range(draws)])  # (draws, n)
    used, places = np.unique(rows, return_inverse=True)  # features are made of the images that are in some draw
    places = places.reshape(rows.shape)
    passes = training_passes(
        lambda batches: features_of(subject.model, batches)[np.newaxis], train.take(used), subject.config
    )
    times = max(1, min(len(train), EPOCH_ROWS) // rows.shape[1])
    places = np.tile(places, times)
    features = subject.judging_features
    repeated = np.broadcast_to(features, (draws, *features.shape))
    fits = fit_probes(
        lambda epoch: passes(epoch)[0][places],
        np.tile(train.labels[rows[0]], times),
        repeated,
        judged.labels,
        subject.classes,
        subject.config,
    )
    return (fit.predict(features) for fit in fits), judged.labels
