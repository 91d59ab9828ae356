"""What a probe leaves in a run folder, written and read back: `probe.json` and the classifier, `probe.npz`."""

from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from qssl_tf.config import MAX_INTEGER
from qssl_tf.errors import UserError, reason
from qssl_tf.evaluation.linear import LinearFit
from qssl_tf.evaluation.probe import ProbeResult
from qssl_tf.evaluation.scores import completed
from qssl_tf.files import npz
from qssl_tf.reading import read_arrays, read_json


def save_classifier(path: Path, fit: LinearFit, step: int) -> None:
    """Keep a classifier's weights, for use on a device."""
    path.write_bytes(npz({"kernel": fit.kernel, "bias": fit.bias, "step": np.array(step)}))


def read_probe(path: Path) -> dict:
    """Read `probe.json`; what results of earlier versions do not say follows from their confusion matrix.

    Raises:
        UserError: It is missing or damaged.
    """
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; probe the run with `python trainers/linear_eval.py`.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); probe the run again.") from None
    values = completed(values)
    kinds: dict[str, type] = {
        name: kind if isinstance(kind, type) else kind.__origin__ for name, kind in _HINTS.items()
    }
    wrong = [
        name
        for name in ("confusion", *kinds)
        if not isinstance(values, dict) or not _fits(values.get(name), kinds[name])
    ]
    if wrong:
        raise UserError(f"{path} is not a probe's result (look at its {wrong[0]}); probe the run again.")
    return values


def read_classifier(path: Path) -> tuple[int, LinearFit]:
    """Return the probed step and its classifier, which lies beside `probe.json`.

    Raises:
        UserError: There is none, it is damaged, or belongs to another result.
    """
    probed, beside = read_probe(path), path.with_suffix(".npz")
    try:
        stored = read_arrays(beside)
        step, fit = int(stored["step"]), LinearFit(stored["kernel"], stored["bias"], [])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(f"{beside} cannot be read ({reason(error)}); {probe_again(path)}.") from None
    if probed.get("classifier_sha256", fit.fingerprint()) != fit.fingerprint():  # older results name none
        raise UserError(f"{beside} is not the classifier of {path}; {probe_again(path)}.")
    return step, fit


def probe_again(path: Path) -> str:
    """Return the remedy for a result or classifier that cannot be used."""
    return f"probe it again: python trainers/linear_eval.py --run {path.parent}"


_HINTS = get_type_hints(ProbeResult)


def _fits(value: Any, kind: type) -> bool:
    """Return whether a value of a file is of a kind; numbers are finite and not negative."""
    if kind in (int, float):
        return isinstance(value, kind | int) and not isinstance(value, bool) and 0 <= value < MAX_INTEGER
    return isinstance(value, kind)
