"""Stratified samples and splits in which every class is represented.

scikit-learn samples classes in proportion, so a rare class may get no image at all. Here it then gets one in place of
an image of the most frequent class; otherwise, the result equals scikit-learn's.
"""

from collections.abc import Sequence

import numpy as np

from qssl_tf.data.splits import UNLABELLED


def stratified_sample(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` sorted rows, sampled in proportion to the classes, with at least one row per class.

    Args:
        labels: Shape (n,); unlabelled rows count as one more class.
        count: From the number of classes to n.
        seed: Seed of the sample.
    """
    from sklearn.utils import resample

    selected = np.zeros(len(labels), bool)
    rows = resample(np.arange(len(labels)), replace=False, n_samples=count, stratify=labels, random_state=seed)
    selected[rows] = True
    _cover_classes(labels, selected, np.random.default_rng(seed))
    return np.flatnonzero(selected)


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted rows of a training and a test split, with every class in both, in proportion.

    Unlabelled rows, and the only row of a class, go to the training split: the former cannot be scored, and a class
    without training images could not be learned.

    Args:
        labels: Shape (n,).
        fraction: Fraction of the rows in the test split, between 0 and 1.
        seed: Seed of the split.

    Raises:
        ValueError: One side has fewer rows than there are classes.
    """
    from sklearn.model_selection import train_test_split

    splittable = np.flatnonzero((labels != UNLABELLED) & ~np.isin(labels, singleton_classes(labels)))
    in_test = np.zeros(len(labels), bool)
    _, test_rows = train_test_split(splittable, test_size=fraction, stratify=labels[splittable], random_state=seed)
    in_test[test_rows] = True
    rng = np.random.default_rng(seed)
    test_mask, split_labels = in_test[splittable], labels[splittable]
    _cover_classes(split_labels, test_mask, rng)
    train_mask = ~test_mask
    _cover_classes(split_labels, train_mask, rng)
    in_test[splittable] = ~train_mask
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def singleton_classes(labels: np.ndarray) -> np.ndarray:
    """Return the labels that occur only once."""
    classes, counts = np.unique(labels[labels != UNLABELLED], return_counts=True)
    return classes[counts == 1]


def report_singletons(labels: np.ndarray, names: Sequence[str], data: str) -> None:
    """Print which classes have a single image, and therefore none to test on."""
    if rare := [names[label] for label in singleton_classes(labels)]:
        subject = f"class {rare[0]} of {data} has" if len(rare) == 1 else f"classes {', '.join(rare)} of {data} have"
        print(f"{subject} a single image: it trains, and none is left to judge the class", flush=True)


def describe_shortage(labels: np.ndarray, fraction: float, names: Sequence[str]) -> str:
    """Return why `stratified_split` failed: the numbers of images and classes, and a fraction that would work."""
    splittable = labels[(labels != UNLABELLED) & ~np.isin(labels, singleton_classes(labels))]
    classes, counts = np.unique(splittable, return_counts=True)
    if not len(classes):
        return "no class has two images; give more"
    images, class_count, rarest = len(splittable), len(classes), int(np.argmin(counts))
    in_test = int(np.ceil(fraction * images))
    suggestion = (
        f"at least {np.ceil(1000 * (class_count - 0.5) / images) / 1000:g}"
        if in_test < class_count
        else f"at most {np.floor(1000 * (images - class_count - 0.5) / images) / 1000:g}"
    )
    return (
        f"{in_test} of {images} images judge, {images - in_test} train, and there are {class_count} classes, "
        f"'{names[classes[rarest]]}' with {counts[rarest]} images the rarest; give {suggestion}"
    )


def _cover_classes(labels: np.ndarray, selected: np.ndarray, rng: np.random.Generator) -> None:
    """Change `selected` in place so that each class is represented, with the same number of rows.

    Each added row replaces one of the most frequent class.
    """
    for label in np.setdiff1d(labels[labels != UNLABELLED], labels[selected]):
        classes, counts = np.unique(labels[selected], return_counts=True)
        selected[rng.choice(np.flatnonzero(selected & (labels == classes[np.argmax(counts)])))] = False
        selected[rng.choice(np.flatnonzero(labels == label))] = True
