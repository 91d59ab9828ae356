"""How far two trainings part by rounding alone on this processor, beside how far one image of a batch moves them.

Training turns the last bit of a sum into visible differences: Adam divides a small gradient by its own size, and a unit
at the kink of its ReLU switches. How far that goes depends on the processor, so no number found on one holds on the
next. What holds: workers that share a batch must end closer to one process than a process does that sees another image
in place of one of the batch, the least that a fault in sharing changes; and rounding, measured by weights that are
moved to a neighbouring float before each step, must be too small to hide that.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load
from qssl_tf.training.fit import build, shared_pairs

Arrays = dict[str, np.ndarray]


class Watch(keras.callbacks.Callback):
    """Keeps each step's loss; with a generator, moves all weights to a neighbouring float before each step."""

    def __init__(self, generator: np.random.Generator | None):
        super().__init__()
        self.losses, self.generator = [], generator

    def on_train_batch_begin(self, batch, logs=None):
        for variable in self.model.trainable_variables if self.generator else ():
            side = self.generator.choice(np.float32([-np.inf, np.inf]), variable.shape)
            variable.assign(np.nextafter(variable.numpy(), side))

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(np.squeeze(logs["loss"])))


class Training:
    """A run's training by `fit`, again and again from the same start."""

    def __init__(self, config: Config, data: ImageData, strategy: tf.distribute.Strategy):
        self.config, self.data, self.strategy = config, data, strategy
        with strategy.scope():
            self.model, self.augment = build(config, data)
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.step_logs = True
        self.start = [variable.numpy() for variable in self.variables]

    @property
    def variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def begin(self) -> None:
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)

    def run(self, folder: Path, data: ImageData | None = None, moved: int | None = None) -> tuple[Arrays, list[float]]:
        """Return the trained arrays, by their names in a checkpoint, and each step's loss."""
        self.begin()
        watch = Watch(None if moved is None else np.random.default_rng(moved))
        pairs = shared_pairs(self.strategy, self.config, data or self.data, self.augment, self.config.steps, 0)
        self.model.fit(pairs, steps_per_epoch=self.config.steps, shuffle=False, verbose=0, callbacks=[watch])
        assert len(watch.losses) == self.config.steps
        return self.arrays(folder), watch.losses

    def arrays(self, folder: Path) -> Arrays:
        self.model.save_weights(folder / "now.weights.h5")
        return saved_arrays(folder / "now.weights.h5")


@dataclass(frozen=True)
class Judge:
    """Trainings in one process: the one that others are held to, and its distances to those that should differ.

    Attributes:
        start: Arrays before.
        arrays: Arrays after.
        losses: Of each step.
        rounding: How far each array is from that of a training moved by last bits, in parts of the way that it came.
        one_image: The same for a training that sees another image in place of about one of each batch's.
    """

    start: Arrays
    arrays: Arrays
    losses: list[float]
    rounding: dict[str, float]
    one_image: dict[str, float]

    def parts(self, arrays: Arrays) -> dict[str, float]:
        """Return the distance of each array in parts of the way that the judge's has come (2-norms)."""
        assert arrays.keys() == self.arrays.keys()
        return {name: parted(arrays[name], self.arrays[name], self.start[name]) for name in arrays}

    def agrees(self, arrays: Arrays, losses: list[float]) -> None:
        """Hold another training of the same settings to this one."""
        assert len(losses) == len(self.losses)
        # Before the first step all weights are equal: the loss is a mean of about as many terms as there are numbers in
        # a row of cosines, each with its own last bit.
        assert abs(losses[0] - self.losses[0]) <= 128 * np.spacing(np.float32(self.losses[0]))
        for name, part in self.parts(arrays).items():
            assert self.rounding[name] < self.one_image[name], f"rounding hides faults here: {name}"
            assert part < self.one_image[name], name


def judge(config: Config, folder: Path, times: int = 2) -> Judge:
    """Train in one process: as it is, `times` moved by last bits, and with one image of each batch exchanged."""
    data = load(config)
    training = Training(config, data, tf.distribute.get_strategy())
    start = training.arrays(folder)
    arrays, losses = training.run(folder)
    moved = [training.run(folder, moved=seed)[0] for seed in range(times)]
    images = data.train.images.copy()
    images[:: config.batch_size] = images[1 :: config.batch_size][: len(images[:: config.batch_size])]
    other, _ = training.run(folder, replace(data, train=replace(data.train, images=images)))
    distances = [{name: parted(its[name], arrays[name], start[name]) for name in arrays} for its in (*moved, other)]
    farthest = {name: max(each[name] for each in distances[:-1]) for name in arrays}
    return Judge(start, arrays, losses, farthest, distances[-1])


def parted(mine: np.ndarray, its: np.ndarray, start: np.ndarray) -> float:
    way = np.linalg.norm((its - start).ravel().astype(float))
    assert way > 0  # training is no standing still
    return float(np.linalg.norm((mine - its).ravel().astype(float)) / way)


def saved_arrays(path: Path) -> Arrays:
    """Return the weights and running statistics of a checkpoint by name."""
    arrays: Arrays = {}

    def keep(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype == np.float32 and not name.startswith("optimizer/"):
            arrays[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return arrays
