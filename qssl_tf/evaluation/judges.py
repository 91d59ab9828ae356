"""Judges of frozen features: the linear probe, nearest neighbours, transfer, and how features lie in their space."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import prepare, read_images
from qssl_tf.data.splits import Split
from qssl_tf.errors import UserError
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.geometry import alignment, effective_rank, linear_cka, uniformity
from qssl_tf.evaluation.knn import NEIGHBOURS, neighbourhood
from qssl_tf.evaluation.probe import labelled_splits, probe
from qssl_tf.evaluation.readings import Reading, Readings, accuracy
from qssl_tf.evaluation.subject import Subject
from qssl_tf.evaluation.trained_run import as_run
from qssl_tf.objectives.table import projects

WEIGHTED = ((20, 0.07), (200, 0.07), (20, 0.1), (200, 0.1))  # neighbours and temperatures of arXiv:1805.01978
PAIRED_IMAGES = 5000  # of which all pairs are looked at: 100 MB of distances
RANKED_IMAGES = 25_600  # as RankMe's authors take


def linear(subject: Subject) -> Readings:
    """Yield the accuracy of the linear probe that `qssl probe` trains."""
    train, judged = subject.labelled

    def readings() -> Readings:
        _, fit = probe(subject.model, subject.data, subject.config, subject.step, subject.split)
        note = f"{subject.about}, {len(train)} labels"
        yield "accuracy", accuracy(judged.labels, fit.predict(subject.judging_features), subject.classes, note)

    return readings()


def neighbours(subject: Subject) -> Readings:
    """Yield the accuracy of nearest neighbours, with equal votes and with weighted ones."""
    _, judged = subject.labelled
    return _neighbour_readings(subject, subject.data, judged)


def _neighbour_readings(subject: Subject, data: ImageData, judged: Split) -> Readings:
    found = neighbourhood(subject.model, data, judged)
    classes, count = len(data.class_names), len(found.train_labels)
    for votes, temperature in ((NEIGHBOURS, None), *WEIGHTED):
        name = f"{votes} neighbours" + ("" if temperature is None else f", temperature {temperature}")
        fewer = [] if votes <= count else ["all of them vote"]
        about = f"{len(found.labels)} images, {found.features.shape[1]} features, {count} labels"
        note = ", ".join([about, *fewer, *([found.drawn] if found.drawn else [])])
        predicted = found.predicted(votes, temperature)
        yield name, accuracy(found.labels, predicted, classes, note)


def transfer(subject: Subject) -> Readings:
    """Yield the accuracy of a probe and of neighbours on another data set, with the run's features frozen.

    Raises:
        UserError: Its images have other channels, no labels, or cannot be read.
    """
    config = replace(subject.config, validation_fraction=0.0)
    data = _other_images(subject)
    train, judged = labelled_splits(data, config, "test")

    def readings() -> Readings:
        result, fit = probe(subject.model, data, config, subject.step)
        predicted = fit.predict(frozen_features(subject.model, judged.images))
        note = f"{result.n_test} images of {data.name}, {result.features} features, {len(train)} labels"
        yield "linear probe", accuracy(judged.labels, predicted, len(data.class_names), note)
        yield from _neighbour_readings(subject, data, judged)

    return readings()


def _other_images(subject: Subject) -> ImageData:
    """Return the images of `probe_dataset` in the run's size.

    Raises:
        UserError: They have other channels than the run's, or cannot be read.
    """
    options, side = subject.options, subject.model.encoder.input_shape[1]
    # All images and classes of the set; no batch of pretraining is taken of them.
    changes = {"classes": (), "train_images": None, "validation_fraction": 0.0, "image_size": side, "batch_size": 2}
    config = Config.from_dict(subject.config.to_dict() | changes)
    if isinstance(options.probe_dataset, ImageData):
        data = options.probe_dataset
    else:
        where = {} if options.probe_data_dir is None else {"data_dir": str(options.probe_data_dir)}
        config = Config.from_dict(config.to_dict() | {"dataset": options.probe_dataset} | where)
        data = read_images(config)
    wanted, channels = subject.model.encoder.input_shape[-1], data.image_shape[-1]
    if channels != wanted:
        raise UserError(
            f"{argument('probe_dataset')} must have images of {_channels(wanted)}, as the run has; those of "
            f"{data.name} have {_channels(channels)}."
        )
    return prepare(data, config)


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _drawn_images(subject: Subject, most: int) -> tuple[Split, str]:
    """Return at most so many of the judging images, always the same ones, and a note of how many they are."""
    split = subject.judging_images()
    if len(split) > most:
        split = split.take(np.sort(np.random.default_rng(0).permutation(len(split))[:most]))
    if len(split) < 2:
        raise UserError(f"pairs of images need two {subject.split} images at least, and there is one; give more.")
    return split, f"{len(split)} images"


def _spaces(subject: Subject) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield the names of what is looked at, and how it follows from the features."""
    yield "features", lambda features: features
    if projects(subject.config):  # where states are compared, there are none
        yield "embeddings", lambda features: subject.model.projector(features, training=False).numpy()


def sphere(subject: Subject) -> Readings:
    """Yield alignment of two views made as in pretraining, and uniformity, of features and of embeddings."""
    split, note = _drawn_images(subject, PAIRED_IMAGES)

    def readings() -> Readings:
        augment = augmentation(subject.config, subject.data.image_shape)
        views = [
            frozen_features(subject.model, split.images, augment, subject.config.seed, number) for number in (0, 1)
        ]
        plain = frozen_features(subject.model, split.images)
        for name, made_of in _spaces(subject):
            yield f"alignment of {name}", Reading(alignment(*map(made_of, views)), note=f"{note}, two views each")
            yield f"uniformity of {name}", Reading(uniformity(made_of(plain)), note=note)

    return readings()


def rank(subject: Subject) -> Readings:
    """Yield the effective rank of features and of embeddings, beside the width that caps it."""
    split, note = _drawn_images(subject, RANKED_IMAGES)

    def readings() -> Readings:
        plain = frozen_features(subject.model, split.images)
        for name, made_of in _spaces(subject):
            found = made_of(plain)
            cap = f"at most {min(found.shape)} of {found.shape[1]} {name}, {note}"
            vary = np.any(found != found[0])  # equal features have no directions once their mean is gone
            for what, rows in (("", found), (", mean taken away", (found - found.mean(axis=0)) * vary)):
                if np.any(rows):
                    yield f"effective rank of {name}{what}", Reading(effective_rank(rows), note=cap)

    return readings()


def cka(subject: Subject) -> Readings:
    """Yield how alike the features of the run and of another are on the images that judge.

    Raises:
        UserError: The other run has other images, or all features of one are equal.
    """
    other = as_run(subject.options.cka_with)
    split, others = subject.judging_images(), getattr(other.data, subject.split)
    others = others if len(others) else other.data.train
    if not split.has_fingerprint(others.fingerprint()):  # one of them may be in memory, the other in a store
        raise UserError(
            f"`cka_with` must be a run with the same {subject.split} images; those of {other.folder} ({len(others)}) "
            f"and of {subject.run.folder} ({len(split)}) differ in pixels or labels."
        )

    def readings() -> Readings:
        ours, theirs = (frozen_features(model, split.images) for model in (subject.model, other.model))
        for features, folder in ((ours, subject.run.folder), (theirs, other.folder)):
            if np.all(features == features[0]):
                raise UserError(f"`cka_with` must compare features that differ; those of {folder} are all equal.")
        note = f"{len(split)} images, {ours.shape[1]} and {theirs.shape[1]} features"
        yield f"linear CKA with {other.folder.name}, step {other.step}", Reading(linear_cka(ours, theirs), note=note)

    return readings()
