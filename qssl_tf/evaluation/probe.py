"""The linear probe (arXiv:2103.14653, Section 4): how well a linear classifier reads the frozen representation."""

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.evaluation.features import BATCH, features_of, fingerprint
from qssl_tf.evaluation.linear import LinearFit, fit_linear
from qssl_tf.evaluation.scores import confusion_matrix, score
from qssl_tf.models.simclr import SimCLR

# Protocol -> how many different augmented passes over the training images the classifier sees.
# `paper` augments anew for each epoch; `cached` computes a few passes once and takes them in turn; `clean` takes the
# images as they are.
PROTOCOLS: dict[str, Callable[[Config], int]] = {
    "cached": lambda config: min(config.probe_passes, config.probe_epochs),
    "paper": lambda config: config.probe_epochs,
    "clean": lambda config: 0,
}
# What may judge a probe. Whatever is chosen by its result is chosen on `validation`, a held-out part of train.
SPLITS: dict[str, Callable[[ImageData], Split]] = {
    "test": lambda data: data.test.labelled(),
    "validation": lambda data: data.validation.labelled(),
}


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found; accuracies in percent on the judged split.

    Attributes:
        split: What was judged: `test`, or `validation` where something is to be chosen.
        protocol: Key of PROTOCOLS.
        step: Training steps of the probed checkpoint; 0 is the untrained network.
        features: Number of features.
        n_train: Training images that have labels.
        n_test: Judged images.
        accuracy_last: After the last epoch: the honest figure.
        accuracy_best_epoch: The best epoch's, chosen on the judged split and therefore optimistic.
        balanced_accuracy: After the last epoch, the mean over the classes of the share of their images told right.
        majority_share: Judged images of the largest class: the accuracy of always naming it.
        per_class_accuracy: After the last epoch, by class name.
        confusion: Counts after the last epoch; rows are true classes, columns predicted ones.
        class_names: In the order of rows and columns.
        frozen_sha256: Of encoder and head, equal before and after.
        seconds: Wall time.
    """

    split: str
    protocol: str
    step: int
    features: int
    n_train: int
    n_test: int
    accuracy_last: float
    accuracy_best_epoch: float
    balanced_accuracy: float
    majority_share: float
    per_class_accuracy: dict[str, float]
    confusion: list[list[int]]
    class_names: list[str]
    frozen_sha256: str
    seconds: float

    def to_dict(self) -> dict:
        """Return plain values, with the note that belongs to the optimistic figure."""
        return asdict(self) | {"accuracy_best_epoch_note": f"optimistic: the epoch is chosen on {self.split} data"}


def probe(
    model: SimCLR, data: ImageData, config: Config, step: int, split: str = "test"
) -> tuple[ProbeResult, LinearFit]:
    """Train a linear classifier on the frozen features of the training images and judge it.

    Args:
        model: The learner, with the weights of `step` loaded.
        data: The images.
        config: The run's settings, with the probe's.
        step: The checkpoint's step, for the record.
        split: Key of SPLITS: the images that judge it.

    Returns:
        The result, and the classifier itself.

    Raises:
        UserError: No such split, or no images were held out for validation.
        RuntimeError: Encoder or head changed while they should have been frozen.
    """
    return probe_steps(model, lambda step: None, data, config, [step], split)[0]


def probe_steps(
    model: SimCLR,
    load: Callable[[int], None],
    data: ImageData,
    config: Config,
    steps: Sequence[int],
    split: str = "test",
) -> list[tuple[ProbeResult, LinearFit]]:
    """Probe several checkpoints of a run on the same augmented views, with the results that each would have alone.

    Args:
        model: The learner.
        load: Gives `model` the weights of a step.
        data: The images.
        config: The run's settings, with the probe's.
        steps: The checkpoints.
        split: Key of SPLITS: the images that judge them.

    Returns:
        Result and classifier of each step; the wall time is shared equally among them.

    Raises:
        UserError: No such split, no images were held out for validation, or none has a label.
        RuntimeError: Encoder or head changed while they should have been frozen.
    """
    if config.probe_protocol not in PROTOCOLS:
        raise unknown_name("probe_protocol", config.probe_protocol, PROTOCOLS)
    check_split(split, config)
    judged, train, began = SPLITS[split](data), data.train.labelled(), time.perf_counter()
    if not data.class_names or not len(judged) or not len(train):
        what = f"labelled {split} images" if len(train) else "labelled training images"
        what = what if data.class_names else "labels"
        raise UserError(f"a linear probe needs {what}, and {data.name} has none; train on images that have them.")
    prints: list[set[str]] = [set() for _ in steps]
    load_if_new = functools.lru_cache(maxsize=1)(load)

    def features(batches: Iterable) -> np.ndarray:
        """Return the features of each step, shape (steps, n, features)."""
        found = []
        for step, seen in zip(steps, prints, strict=True):
            load_if_new(step)
            seen.add(fingerprint(model))
            found.append(features_of(model, batches))
            seen.add(fingerprint(model))
        return np.stack(found)

    judged_features = features(image_batches(judged.images, BATCH))
    fits = fit_linear(
        _training_passes(features, train, config, len(steps)),
        train.labels,
        judged_features,
        judged.labels,
        classes=len(data.class_names),
        epochs=config.probe_epochs,
        batch_size=config.probe_batch_size,
        learning_rate=config.probe_learning_rate,
        seed=config.seed,
    )
    if any(len(seen) > 1 for seen in prints):
        raise RuntimeError("encoder or head changed during the probe; they must stay frozen.")
    seconds = (time.perf_counter() - began) / len(steps)
    parts = zip(steps, prints, judged_features, fits, strict=True)
    return [(_result(data, config, split, *part, seconds), part[-1]) for part in parts]


def _result(
    data: ImageData, config: Config, split: str, step: int, prints: set[str], features, fit: LinearFit, seconds: float
) -> ProbeResult:
    judged = SPLITS[split](data)
    confusion = confusion_matrix(judged.labels, fit.predict(features), len(data.class_names))
    share, found = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1), score(confusion)
    return ProbeResult(
        split=split,
        protocol=config.probe_protocol,
        step=step,
        features=features.shape[1],
        n_train=len(data.train.labelled()),
        n_test=len(judged),
        accuracy_last=fit.test_accuracy[-1],
        accuracy_best_epoch=max(fit.test_accuracy),
        balanced_accuracy=found.balanced,
        majority_share=found.majority,
        per_class_accuracy={name: 100.0 * float(part) for name, part in zip(data.class_names, share, strict=True)},
        confusion=confusion.tolist(),
        class_names=list(data.class_names),
        frozen_sha256=prints.pop(),
        seconds=round(seconds, 2),
    )


def check_split(split: str, config: Config) -> None:
    """Refuse a split that cannot judge a run, before any data are read.

    Raises:
        UserError: No such split, or no images were held out for validation.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if split == "validation" and config.validation_fraction == 0.0:
        raise UserError(
            "`split` 'validation' needs held-out images and this run trained on all of them; "
            f"pretrain with {argument('validation_fraction', 0.2)}."
        )


def _training_passes(
    features: Callable[[Iterable], np.ndarray], train: Split, config: Config, steps: int
) -> Callable[[int], np.ndarray]:
    """Return epoch -> features of one pass, augmented or not; passes are kept while they will be needed again."""
    passes = PROTOCOLS[config.probe_protocol](config)
    augment = augmentation(config, train.images.shape[1:], probing=True) if passes else None
    kept: dict[int, np.ndarray] = {}

    def of_epoch(epoch: int) -> np.ndarray:
        number = epoch % max(1, passes)
        if number in kept:
            return kept[number]
        batches = image_batches(train.images, BATCH, augment, config.seed, number)
        fresh = features(batches.cache() if steps > 1 else batches)  # the views are made once for all checkpoints
        if passes < config.probe_epochs:
            kept[number] = fresh
        return fresh

    return of_epoch
