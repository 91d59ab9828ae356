"""Random choices of images that leave no class out: the training images, the held-out ones, the test split.

scikit-learn draws each class by its share, and a rare class may then get no image at all. Where that happens it gets
one in place of an image of the class with the most; every other choice is scikit-learn's to the last image.
"""

from collections.abc import Sequence

import numpy as np

from qssl_tf.data.splits import UNLABELLED


def drawn(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` of the rows, in order: each class by its share, none without a row.

    Args:
        labels: Shape (n,); rows without a label are a share of their own.
        count: At least the number of classes, at most n.
        seed: Of the choice.
    """
    from sklearn.utils import resample

    taken = np.zeros(len(labels), bool)
    taken[resample(np.arange(len(labels)), replace=False, n_samples=count, stratify=labels, random_state=seed)] = True
    _give_each_class_one(labels, taken, np.random.default_rng(seed))
    return np.flatnonzero(taken)


def parted(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that stay and those that judge, each in order: every class by its share and on both sides.

    Rows without a label, and the row of a class that has a single one, stay: they cannot judge, or not be learnt then.

    Args:
        labels: Shape (n,).
        fraction: Part of the rows that judges, above 0 and below 1.
        seed: Of the choice.

    Raises:
        ValueError: There are fewer rows on one side than classes.
    """
    from sklearn.model_selection import train_test_split

    shared = np.flatnonzero((labels != UNLABELLED) & ~np.isin(labels, single(labels)))
    judging = np.zeros(len(labels), bool)
    _, held_out = train_test_split(shared, test_size=fraction, stratify=labels[shared], random_state=seed)
    judging[held_out] = True
    rng = np.random.default_rng(seed)
    among, kinds = judging[shared], labels[shared]
    _give_each_class_one(kinds, among, rng)
    staying = ~among
    _give_each_class_one(kinds, staying, rng)
    judging[shared] = ~staying
    return np.flatnonzero(~judging), np.flatnonzero(judging)


def single(labels: np.ndarray) -> np.ndarray:
    """Return the labels that one row alone has."""
    kinds, counts = np.unique(labels[labels != UNLABELLED], return_counts=True)
    return kinds[counts == 1]


def say_single(labels: np.ndarray, names: Sequence[str], data: str) -> None:
    """Say in one line which classes have a single image and are therefore judged by none."""
    if rare := [names[label] for label in single(labels)]:
        which = f"class {rare[0]} of {data} has" if len(rare) == 1 else f"classes {', '.join(rare)} of {data} have"
        print(f"{which} a single image: it trains, and none is left to judge the class", flush=True)


def too_few(labels: np.ndarray, fraction: float, names: Sequence[str]) -> str:
    """Return in words why `parted` refuses: how many images are there for how many classes, and what would do."""
    shared = labels[(labels != UNLABELLED) & ~np.isin(labels, single(labels))]
    kinds, counts = np.unique(shared, return_counts=True)
    if not len(kinds):
        return "no class has two images; give more"
    images, classes, rarest = len(shared), len(kinds), int(np.argmin(counts))
    judging = int(np.ceil(fraction * images))
    bound = (
        f"at least {np.ceil(1000 * (classes - 0.5) / images) / 1000:g}"
        if judging < classes
        else f"at most {np.floor(1000 * (images - classes - 0.5) / images) / 1000:g}"
    )
    return (
        f"{judging} of {images} images judge, {images - judging} train, and there are {classes} classes, "
        f"'{names[kinds[rarest]]}' with {counts[rarest]} images the rarest; give {bound}"
    )


def _give_each_class_one(labels: np.ndarray, taken: np.ndarray, rng: np.random.Generator) -> None:
    """Change `taken` in place so that each class has a row in it, and their number stays.

    A row of the class with the most of them makes room.
    """
    for label in np.setdiff1d(labels[labels != UNLABELLED], labels[taken]):
        kinds, counts = np.unique(labels[taken], return_counts=True)
        taken[rng.choice(np.flatnonzero(taken & (labels == kinds[np.argmax(counts)])))] = False
        taken[rng.choice(np.flatnonzero(labels == label))] = True
