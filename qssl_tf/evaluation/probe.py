"""The linear probe (arXiv:2103.14653, Section 4): how well a linear classifier reads the frozen representation."""

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.pipeline import image_batches
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.features import BATCH, features_of, fingerprint
from qssl_tf.evaluation.linear import fit_linear
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
# The images a probe is scored on. Model selection uses `validation`, a held-out part of train, so that `test` stays
# untouched.
SPLITS: dict[str, Callable[[ImageData], Split]] = {
    "test": lambda data: data.test.labelled(),
    "validation": lambda data: data.validation.labelled(),
}


@dataclass(frozen=True)
class ProbeResult:
    """The result of a linear probe; accuracies in percent on the evaluated split.

    Attributes:
        split: The evaluated split: `test`, or `validation` for model selection.
        protocol: Key of PROTOCOLS.
        step: Training steps of the probed checkpoint; 0 is the untrained network.
        features: Number of features.
        n_train: Training images that have labels.
        n_test: Evaluated images.
        accuracy_last: After the last epoch: the honest figure.
        accuracy_best_epoch: The best epoch's, chosen on the evaluated split and therefore optimistic.
        balanced_accuracy: After the last epoch, the mean of the per-class accuracies.
        majority_share: Share of the largest class in the evaluated images: the accuracy of always predicting it.
        per_class_accuracy: After the last epoch, by class name.
        confusion: Counts after the last epoch; rows are true classes, columns predicted ones.
        class_names: In the order of rows and columns.
        frozen_sha256: Of encoder and head, equal before and after.
        seconds: Wall time.
        settings: The `probe_*` settings on which the accuracy depends, see `probe_settings`; runs that are compared
            must have been probed with the same.
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
    settings: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """Return plain values, with the note that belongs to the optimistic figure."""
        return asdict(self) | {"accuracy_best_epoch_note": f"optimistic: the epoch is chosen on {self.split} data"}


# A probe's result and the classifier it trained.
FittedProbe = tuple[ProbeResult, LinearFit]


def probe_settings(config: Config) -> dict[str, float]:
    """Return the numbers beside its protocol that a probe depends on: `probe_passes` where that reuses passes."""
    names = ["probe_epochs", "probe_batch_size", "probe_learning_rate"]
    passes = {"probe_passes": PROTOCOLS["cached"](config)} if config.probe_protocol == "cached" else {}
    return {name: getattr(config, name) for name in names} | passes


def probe(model: SimCLR, data: ImageData, config: Config, step: int, split: str = "test") -> FittedProbe:
    """Train a linear classifier on the frozen features of the training images, and score it on another split.

    Args:
        model: The learner, with the weights of `step` loaded.
        data: The images.
        config: The run's settings, `probe_*` included.
        step: The checkpoint's step, for the record.
        split: Key of SPLITS: the images it is scored on.

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
) -> list[FittedProbe]:
    """Probe several checkpoints of a run on the same augmented views; each result is what it would be alone.

    Args:
        model: The learner.
        load: Loads the weights of a step into `model`.
        data: The images.
        config: The run's settings, `probe_*` included.
        steps: The checkpoints.
        split: Key of SPLITS: the images they are scored on.

    Returns:
        Result and classifier of each step; each is charged an equal share of the wall time.

    Raises:
        UserError: No such split, no images were held out for validation, or none has a label.
        RuntimeError: Encoder or head changed while they should have been frozen.
    """
    train, evaluated = labelled_splits(data, config, split)
    start = time.perf_counter()
    fingerprints: list[set[str]] = [set() for _ in steps]
    load_if_new = functools.lru_cache(maxsize=1)(load)

    def features(batches: Iterable) -> np.ndarray:
        """Return the features of each step, shape (steps, n, features)."""
        by_step = []
        for step, hashes in zip(steps, fingerprints, strict=True):
            load_if_new(step)
            hashes.add(fingerprint(model))
            by_step.append(features_of(model, batches))
            hashes.add(fingerprint(model))
        return np.stack(by_step)

    evaluated_features = features(image_batches(evaluated.images, BATCH))
    passes = training_passes(features, train, config, len(steps))
    fits = fit_probes(passes, train.labels, evaluated_features, evaluated.labels, len(data.class_names), config)
    if any(len(hashes) > 1 for hashes in fingerprints):
        raise RuntimeError("encoder or head changed during the probe; they must stay frozen.")
    seconds = (time.perf_counter() - start) / len(steps)
    parts = zip(steps, fingerprints, evaluated_features, fits, strict=True)
    return [(_result(data, config, split, *part, seconds), part[-1]) for part in parts]


def _result(
    data: ImageData,
    config: Config,
    split: str,
    step: int,
    fingerprints: set[str],
    features: np.ndarray,
    fit: LinearFit,
    seconds: float,
) -> ProbeResult:
    evaluated = SPLITS[split](data)
    confusion = confusion_matrix(evaluated.labels, fit.predict(features), len(data.class_names))
    recalls, scores = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1), score(confusion)
    return ProbeResult(
        split=split,
        protocol=config.probe_protocol,
        step=step,
        features=features.shape[1],
        n_train=len(data.train.labelled()),
        n_test=len(evaluated),
        accuracy_last=fit.test_accuracy[-1],
        accuracy_best_epoch=max(fit.test_accuracy),
        balanced_accuracy=scores.balanced,
        majority_share=scores.majority,
        per_class_accuracy={
            name: 100.0 * float(recall) for name, recall in zip(data.class_names, recalls, strict=True)
        },
        confusion=confusion.tolist(),
        class_names=list(data.class_names),
        frozen_sha256=fingerprints.pop(),
        seconds=round(seconds, 2),
        settings=probe_settings(config),
    )


def check_split(split: str, config: Config) -> None:
    """Refuse a split that a run cannot be scored on, before any data are read.

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


def labelled_splits(data: ImageData, config: Config, split: str) -> tuple[Split, Split]:
    """Return the labelled training images, and those that a probe is scored on.

    Raises:
        UserError: No such protocol or split, no images were held out for validation, or none has a label.
    """
    if config.probe_protocol not in PROTOCOLS:
        raise unknown_name("probe_protocol", config.probe_protocol, PROTOCOLS)
    check_split(split, config)
    evaluated, train = SPLITS[split](data), data.train.labelled()
    if not data.class_names or not len(evaluated) or not len(train):
        need = f"labelled {split} images" if len(train) else "labelled training images"
        need = need if data.class_names else "labels"
        raise UserError(f"a linear probe needs {need}, and {data.name} has none; train on images that have them.")
    return train, evaluated


def fit_probes(
    passes: Callable[[int], np.ndarray],
    train_labels: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
    config: Config,
) -> list[LinearFit]:
    """Train the classifiers of k probes side by side, as the `probe_*` settings say.

    Args:
        passes: Function (epoch, from 0) -> features of the training images, shape (k, n, features).
        train_labels: Shape (n,).
        features: Of the evaluated images, shape (k, m, features).
        labels: Shape (m,).
        classes: Number of classes.
        config: The run's settings.
    """
    return fit_linear(
        passes,
        train_labels,
        features,
        labels,
        classes=classes,
        epochs=config.probe_epochs,
        batch_size=config.probe_batch_size,
        learning_rate=config.probe_learning_rate,
        seed=config.seed,
    )


def training_passes(
    features: Callable[[Iterable], np.ndarray], train: Split, config: Config, steps: int = 1
) -> Callable[[int], np.ndarray]:
    """Return epoch -> features of one pass, augmented or not; passes that later epochs reuse are cached.

    Args:
        features: From batches of images to features, shape (k, n, features).
        train: The training images.
        config: The run's settings; their protocol says how often images are augmented anew.
        steps: How often `features` goes through the batches.
    """
    passes = PROTOCOLS[config.probe_protocol](config)
    augment = augmentation(config, train.images.shape[1:], probing=True) if passes else None
    cache: dict[int, np.ndarray] = {}

    def of_epoch(epoch: int) -> np.ndarray:
        number = epoch % max(1, passes)
        if number in cache:
            return cache[number]
        batches = image_batches(train.images, BATCH, augment, config.seed, number)
        # All checkpoints see the same views; those of images that memory does not hold are made for each anew.
        cached = steps > 1 and isinstance(train.images, np.ndarray)
        by_step = features(batches.cache() if cached else batches)
        if passes < config.probe_epochs:
            cache[number] = by_step
        return by_step

    return of_epoch
