"""One trial: an ordinary run folder, trained, probed on held-out images, and what came of it in `trial.json`."""

import functools
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import check_batch_size, load
from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.checkpoints import write_probes
from qssl_tf.evaluation.probe import probe
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.files.lock import locked
from qssl_tf.files.read import read_json, read_text
from qssl_tf.files.schema import Measured, Percent, Schema, Seconds, check
from qssl_tf.files.write import write_json, write_text
from qssl_tf.training.history import read_history
from qssl_tf.training.provenance import check_images
from qssl_tf.training.runs import Run, open_run
from qssl_tf.training.session import new_session, resumed_session

RESULT = "trial.json"
ATTEMPTS = 5  # deaths in one place until a trial counts as failed

# What is logged for each trial -> whether more or less of it is better; a search takes one as its objective.
OBJECTIVES = {
    "validation_accuracy": "max",
    "balanced_accuracy": "max",
    "contrastive_accuracy": "max",
    "loss": "min",
    "parameters": "min",
    "seconds": "min",
}
# What a trial says of itself: the objectives, and the accuracy of always naming the largest class.
FIGURES = (*OBJECTIVES, "majority_share")
# The settings that decide which images are loaded; the others may differ from trial to trial.
LOADED_BY = (
    "dataset", "classes", "data_dir", "store", "store_dir", "skip_broken_images", "image_size", "train_images",
    "validation_fraction", "seed",
)  # fmt: skip


class TrialFile(Schema):
    """`trial.json`: the figures of a trial that is done."""

    validation_accuracy: Percent
    balanced_accuracy: Percent
    majority_share: Percent
    contrastive_accuracy: Percent
    loss: Measured
    parameters: Annotated[float, Field(ge=0, le=2**53)]
    seconds: Seconds


class Stopped(KeyboardInterrupt):
    """A signal ended the search; the trial's last step is kept."""


def images(config: Config) -> ImageData:
    """Return the data of a trial, read once for all trials.

    Raises:
        UserError: The data are not there, or do not fit the settings.
    """
    data = _images(replace(Config(), batch_size=2, **{name: getattr(config, name) for name in LOADED_BY}))
    check_batch_size(config, data)
    return data


def check_same_images(search: Path) -> None:
    """Refuse to go on with a search whose trials so far were trained on other images than there are now.

    Args:
        search: Its folder.

    Raises:
        UserError: It names the first trial.
    """
    for path in sorted((search / "trials").glob("trial-*/config.json"))[:1]:  # the others were compared with it
        run = open_run(path.parent)
        check_images(run, images(run.config))


_images = functools.lru_cache(maxsize=1)(load)


def run_trial(config: Config, folder: Path) -> dict[str, float]:
    """Train and judge a trial: from its start, from the step where it was killed, or not again if it is done.

    Args:
        config: Its settings, with held-out validation images.
        folder: Its run folder, made if it is not there.

    Returns:
        A number for each of FIGURES. Accuracies are in percent; the seconds are those of training and probing.

    Raises:
        Stopped: Ctrl-C or SIGTERM.
        UserError: Settings that do not go together, another trial's folder, a loss that is no number, or a trial that
            killed its process too often.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, wait=True):  # a worker that was thought lost may still be at it
        if (folder / RESULT).is_file():
            return _recorded(folder / RESULT)
        _note_attempt(folder)
        # Each trial has a model of its own, whose functions TensorFlow takes for one function that is traced too often.
        tf.get_logger().setLevel("ERROR")
        try:
            return _train_and_judge(config, folder)
        finally:
            keras.utils.clear_session()  # or each trial would leave its model behind


def _recorded(path: Path) -> dict[str, float]:
    """Return the figures of a trial that is done.

    Raises:
        UserError: The file is damaged.
    """
    try:
        values = read_json(path)
        if "balanced_accuracy" not in values:  # of an earlier version: its probe says it
            probed = read_probe(path.with_name("probe-validation.json"))
            values |= {name: probed[name] for name in ("balanced_accuracy", "majority_share")}
        check(TrialFile, values)
        return {name: float(values[name]) for name in FIGURES}
    except UserError:
        raise
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({reason(error)}); restore it, or remove it to judge the trial again."
        ) from None


def _note_attempt(folder: Path) -> None:
    """Refuse a trial whose process died again and again in one place: it would take every worker with it.

    Raises:
        UserError: It did.
    """
    path, history = folder.with_name(f".{folder.name}.attempts"), folder / "history.csv"
    done = str(len(read_history(history)) if history.is_file() else 0)
    try:
        before = read_text(path).split() if path.is_file() else []
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); remove it.") from None
    if len(before) >= ATTEMPTS and set(before[-ATTEMPTS:]) == {done}:
        raise UserError(f"its process died {ATTEMPTS} times after step {done} (out of memory?)")
    write_text(path, " ".join([*before, done]))


def _train_and_judge(config: Config, folder: Path) -> dict[str, float]:
    data = images(config)
    if (folder / "config.json").is_file():
        session = resumed_session(_reopened(folder, config), data)
    else:
        if folder.exists():
            shutil.rmtree(folder)  # killed before its settings were written: nothing was trained in it
        session = new_session(config, data, folder.parent, folder.name)
    run = session.run
    stopped_by = session.train()
    if stopped_by:
        raise Stopped(stopped_by)
    model = session.model_for_use()
    rows = read_history(run.history)
    judged = probe(model, data, config, int(rows[-1]["step"]), split="validation")
    write_probes(run, [judged])
    tail = rows[-max(1, len(rows) // 10) :]
    result = {
        "validation_accuracy": judged[0].accuracy_last,
        "balanced_accuracy": judged[0].balanced_accuracy,
        "majority_share": judged[0].majority_share,
        "contrastive_accuracy": 100 * float(np.mean([float(row["contrastive_accuracy"]) for row in tail])),
        "loss": float(np.mean([float(row["loss"]) for row in tail])),
        "parameters": float(sum(int(np.prod(w.shape)) for w in [*model.encoder.weights, *model.head.weights])),
        "seconds": sum(float(row["seconds"]) for row in rows) + judged[0].seconds,
    }
    write_json(folder / RESULT, result)
    return result


def _reopened(folder: Path, config: Config) -> Run:
    run = open_run(folder)
    different = run.config.differences(config)
    if different:
        raise UserError(f"{folder} holds another trial ({'; '.join(different)}); move it away.")
    return run
