"""The files of a probe in a run folder: `probe.json`, the result, and `probe.npz`, the classifier."""

import itertools
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import model_validator

from qssl_tf.commands import probing
from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.classifier import LinearFit
from qssl_tf.evaluation.scores import with_class_balance
from qssl_tf.files.read import read_arrays, read_json
from qssl_tf.files.schema import (
    Confusion,
    Count,
    Names,
    Percent,
    Positive,
    Schema,
    Seconds,
    Sha256,
    Word,
    check,
    check_confusion,
    check_finite_arrays,
)
from qssl_tf.files.write import npz, replacing


class CheckpointEntry(Schema):
    """One entry of `checkpoints` in `probe.json`."""

    step: Count
    accuracy_last: Percent
    accuracy_best_epoch: Percent
    seconds: Seconds


class ProbeFile(Schema):
    """`probe.json`: a ProbeResult, and a short entry for each checkpoint."""

    split: Word
    protocol: Word
    step: Count
    features: Positive
    n_train: Positive
    n_test: Positive
    accuracy_last: Percent
    accuracy_best_epoch: Percent
    balanced_accuracy: Percent
    majority_share: Percent
    per_class_accuracy: dict[Word, Percent]
    confusion: Confusion
    class_names: Names
    frozen_sha256: Sha256
    seconds: Seconds
    checkpoints: list[CheckpointEntry] = []
    classifier_sha256: Sha256 | None = None
    settings: dict[Word, int | float] = {}  # earlier versions kept none

    @model_validator(mode="after")
    def _check_consistency(self) -> "ProbeFile":
        check_confusion(self.confusion, self.class_names)
        if sum(map(sum, self.confusion)) != self.n_test:
            raise ValueError(f"its confusion matrix must count its {self.n_test} images")
        if set(self.per_class_accuracy) != set(self.class_names):
            raise ValueError("its per_class_accuracy must be of its class_names")
        return self


def save_classifier(path: Path, fit: LinearFit, step: int) -> None:
    """Write a classifier's weights, which predictions and device runs read back."""
    path.write_bytes(npz({"kernel": fit.kernel, "bias": fit.bias, "step": np.array(step)}))


def keep_earlier(path: Path, values: Mapping[str, Any]) -> Path | None:
    """Copy a result that a new one would replace, with its classifier, to the first free name beside it.

    Args:
        path: `probe.json`, or that of another split.
        values: The new result; one that differs in its seconds alone is the same, and nothing is copied.

    Returns:
        Where the earlier result is kept, such as `probe-1.json`; None if there is nothing to keep.
    """
    try:
        if _lasting(read_json(path)) == _lasting(values):
            return None
    except FileNotFoundError:
        return None
    except (OSError, ValueError):  # damaged, and still not to be lost
        pass
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    kept = next(one for one in numbered if not one.exists() and not one.with_suffix(".npz").exists())
    for suffix in (".npz", ".json"):
        with suppress(FileNotFoundError), replacing(kept.with_suffix(suffix)) as temporary:
            shutil.copyfile(path.with_suffix(suffix), temporary)
    return kept


def _lasting(values: Any) -> Any:
    """Return what a probe found, without how long that took."""
    if isinstance(values, Mapping):
        return {key: _lasting(value) for key, value in values.items() if key != "seconds"}
    return [_lasting(value) for value in values] if isinstance(values, list) else values


def read_probe(path: Path) -> dict:
    """Read `probe.json`; fields that earlier versions did not write follow from the confusion matrix.

    Raises:
        UserError: It is missing or damaged.
    """
    try:
        return check(ProbeFile, with_class_balance(read_json(path)))
    except FileNotFoundError:
        raise not_probed(path) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a probe's result ({reason(error)}); probe the run again.") from None


def not_probed(path: Path) -> UserError:
    """Build the error for a run without a probe."""
    return UserError(f"{path} does not exist; probe the run with `{probing(path.parent)}`.")


def read_classifier(path: Path) -> tuple[int, LinearFit]:
    """Return the probed step and its classifier, stored beside `probe.json`.

    Raises:
        UserError: It is missing or damaged, or belongs to another result.
    """
    result, arrays_path = read_probe(path), path.with_suffix(".npz")
    try:
        arrays = read_arrays(arrays_path)
        kernel, bias, step = arrays["kernel"], arrays["bias"], arrays["step"]
        check_finite_arrays({"kernel": kernel, "bias": bias, "step": step})
        shape = (result["features"], len(result["class_names"]))
        if kernel.shape != shape or bias.shape != shape[1:] or step.shape or step != result["step"]:
            raise ValueError(f"its arrays must be of step {result['step']}, {shape[0]} features and {shape[1]} classes")
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{arrays_path} cannot be read ({reason(error)}); {probe_again(path)}.") from None
    fit = LinearFit(kernel, bias, [])
    if result.get("classifier_sha256", fit.fingerprint()) != fit.fingerprint():  # older results have none
        raise UserError(f"{arrays_path} is not the classifier of {path}; {probe_again(path)}.")
    return result["step"], fit


def probe_again(path: Path, checkpoint: str | None = None) -> str:
    """Return the remedy for a result or classifier that cannot be used."""
    return f"probe it again: {probing(path.parent, checkpoint)}"
