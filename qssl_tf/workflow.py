"""From images to a judged run in Python, as the commands do it: `pretrain`, `resume`, `linear_probe`, `load_run`."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from qssl_tf.arguments import checks_arguments, unknown_argument
from qssl_tf.config import Config
from qssl_tf.data.arrays import as_bytes
from qssl_tf.data.augment import augmentation, say_recipe
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load, prepared
from qssl_tf.errors import UserError
from qssl_tf.evaluation.checkpoints import check_open_to_probes, draw_probes, probe_checkpoints, write_probes
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.overview import finish_run
from qssl_tf.evaluation.probe import ProbeResult, check_split
from qssl_tf.evaluation.probe_files import read_classifier
from qssl_tf.lock import locked
from qssl_tf.models.simclr import SimCLR, build_simclr
from qssl_tf.newest import point_newest
from qssl_tf.training import pretrain as training
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.facts import is_finished, read_facts
from qssl_tf.training.provenance import images_of_run, own_parts
from qssl_tf.training.runs import (
    RUNS_DIR,
    Run,
    check_open_to_training,
    choose_step,
    create_run,
    open_run,
)


@dataclass(frozen=True)
class TrainedRun:
    """A run's settings and its model with the weights of one checkpoint.

    Attributes:
        folder: The run folder.
        config: Its settings.
        step: Training steps of the weights.
        model: The learner.
        class_names: In the order of the labels; none where the images had no labels.
        data: The images, where they were given; else None.
    """

    folder: Path
    config: Config
    step: int
    model: SimCLR = field(repr=False)
    class_names: tuple[str, ...]
    data: ImageData | None = field(default=None, repr=False)

    def features(self, images: Any) -> np.ndarray:
        """Return what the head puts out: where probes cut.

        Args:
            images: Bytes or fractions, shape (n, height, width, channels) as those of the run.

        Returns:
            float32, shape (n, features); expectations in [-1, 1] of a quantum head.

        Raises:
            UserError: They are no images, or of another shape.
        """
        pixels, wanted = as_bytes(images, "images"), tuple(self.model.encoder.input_shape[1:])
        if pixels.shape[1:] != wanted:
            raise UserError(f"`images` must have the shape (n, {', '.join(map(str, wanted))}); got {pixels.shape}.")
        return frozen_features(self.model, pixels)

    def predict(self, images: Any) -> np.ndarray:
        """Return the class of each image by the probe's classifier.

        Args:
            images: As for `features`.

        Returns:
            int64, shape (n,): places in `class_names`.

        Raises:
            UserError: The run was not probed at this step, or the images cannot be used.
        """
        step, fit = read_classifier(self.folder / "probe.json")
        if step != self.step:
            raise UserError(
                f"{self.folder} was probed at step {step}, and these are the weights of {self.step}; probe them."
            )
        return fit.predict(self.features(images))


@checks_arguments
def pretrain(
    config: Config | None = None,
    data: ImageData | None = None,
    *,
    runs_dir: str | Path = RUNS_DIR,
    name: str | None = None,
) -> TrainedRun:
    """Train a new run on one device and keep it as a folder, as `trainers/pretrain.py` does.

    Args:
        config: The settings; None takes the preset `digits`.
        data: Your own images; None loads what `config.dataset` names.
        runs_dir: Folder of all runs.
        name: Of the run folder; None makes one.

    Returns:
        The run with its last weights.

    Raises:
        UserError: Settings or images that cannot be used, or a name that is taken.
        KeyboardInterrupt: Ctrl-C; `resume` goes on from the step that it met.
    """
    config = config or Config()
    if data is not None:
        config, data = replace(config, dataset=data.name), prepared(data, config)
    else:
        data = load(config)
    model, augment = training.build(config, data)  # before a folder is made: what cannot be built ends here
    say_recipe(config, data.image_shape)
    run = create_run(config, Path(runs_dir), name, data.name, data.facts(), own_parts(config, model))
    return _train(run, data, model, augment, again=False)


@checks_arguments
def resume(run: TrainedRun | str | Path, data: ImageData | None = None) -> TrainedRun:
    """Go on with a run that was stopped, to the bits that it would have had without the stop.

    Args:
        run: The run, or its folder.
        data: The images, where they were given to `pretrain`; None takes the run's own.

    Raises:
        UserError: It is no run folder, is damaged, or was trained on other images.
    """
    opened = open_run(run.folder if isinstance(run, TrainedRun) else Path(run))
    check_open_to_training(opened)
    data = images_of(run, data) if isinstance(run, TrainedRun) else images_of_run(opened, data)
    model, augment = training.build(opened.config, data, opened.state)
    return _train(opened, data, model, augment, again=True)


@checks_arguments
def linear_probe(
    run: TrainedRun | str | Path, data: ImageData | None = None, *, split: str = "test", **settings: Any
) -> ProbeResult:
    """Judge a run by a linear classifier on its frozen features, as `trainers/linear_eval.py` does.

    `probe.json`, `probe.npz` and a figure of the confusion matrix are written into its folder.

    Args:
        run: A run, or its folder (then its last checkpoint).
        data: The images, where they were given to `pretrain`; None takes the run's own.
        split: `test`, or `validation` where something is to be chosen.
        **settings: Fields of Config whose names begin with `probe_`, in place of the run's.

    Returns:
        Accuracies in percent; `accuracy_last` is the honest one.

    Raises:
        UserError: The images have no labels, a setting is none of the probe's, or the run cannot be read.
    """
    _check_probe_settings(settings)
    opened = open_run(run.folder if isinstance(run, TrainedRun) else Path(run))
    config = Config.from_dict(opened.config.to_dict() | settings)
    check_split(split, config)
    step = run.step if isinstance(run, TrainedRun) else choose_step(opened, "last")[0]
    images = images_of(run, data) if isinstance(run, TrainedRun) else images_of_run(opened, data)
    check_open_to_probes(opened)
    with locked(opened.probe):
        results = probe_checkpoints(opened, config, [step], split=split, data=images)
        write_probes(opened, results)
        draw_probes(opened, results)
    return results[0][0]


@checks_arguments
def load_run(folder: str | Path, checkpoint: str | int = "last") -> TrainedRun:
    """Read a run folder, yours or somebody else's; nothing in it is executed.

    Args:
        folder: The run folder, or the name of a run that comes with the package.
        checkpoint: `last`, or the step after which weights were kept.

    Raises:
        UserError: It is no run folder, or damaged, or has no such checkpoint.
    """
    run = open_run(Path(folder))
    if checkpoint == "all":
        raise UserError("`checkpoint` must be last or a step, for one set of weights; got 'all'.")
    (step,) = choose_step(run, str(checkpoint))
    facts = read_facts(run) or load(run.config).facts()  # runs of earlier versions did not say
    shape, names = tuple(facts["image_shape"]), tuple(facts["class_names"])
    model = build_simclr(run.config, shape, augmentation(run.config, shape), weights=run.checkpoint(step))
    load_weights(run, model, step)
    return TrainedRun(run.folder, run.config, step, model, names)


def as_run(run: TrainedRun | str | Path) -> TrainedRun:
    """Return a run; of a folder, its last weights.

    Raises:
        UserError: It is no run's folder, or a damaged one.
    """
    if isinstance(run, TrainedRun):
        return run
    return load_run(run)


def images_of(run: TrainedRun, data: ImageData | None = None) -> ImageData:
    """Return a run's images, cut as its settings say.

    Args:
        run: The run.
        data: The images, where they were given to `pretrain`; None takes the run's own.

    Raises:
        UserError: The run was trained on others, or they cannot be found.
    """
    return run.data if data is None and run.data is not None else images_of_run(open_run(run.folder), data)


def _check_probe_settings(names: Iterable[str]) -> None:
    """Refuse settings that are not the probe's."""
    known = [item.name for item in fields(Config)]
    probes = [name for name in known if name.startswith("probe_")]
    for name in names:
        if name in known and name not in probes:
            raise UserError(f"`{name}` is the run's and stands; a probe takes settings that begin with probe_.")
        if name not in probes:
            raise unknown_argument("linear_probe", name, ["run", "data", "split", *probes])


def _train(run: Run, data: ImageData, model: SimCLR, augment: Any, again: bool) -> TrainedRun:
    with locked(run.folder):
        if not (again and is_finished(run)):
            point_newest(run.folder)
        stopped_by = training.pretrain(run, data, model, augment, resume=again)
        if stopped_by:
            raise KeyboardInterrupt(f"stopped by {stopped_by}; qssl_tf.resume({str(run.folder)!r}) goes on.")
        print(finish_run(run, model, data))
    step = run.checkpoint_steps()[-1]
    return TrainedRun(run.folder, run.config, step, model, data.class_names, data)
