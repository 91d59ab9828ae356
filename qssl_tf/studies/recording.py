"""The record of a run, from its folder and its probes."""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.images import ImageData
from qssl_tf.evaluation.linear import LinearFit
from qssl_tf.evaluation.probe import ProbeResult
from qssl_tf.models.simclr import SimCLR
from qssl_tf.studies.records import Probed, Record
from qssl_tf.studies.studies import Pair
from qssl_tf.training.callbacks import StateGeometry
from qssl_tf.training.history import read_history
from qssl_tf.training.metadata import read_versions
from qssl_tf.training.runs import Run

Judged = tuple[ProbeResult, LinearFit]


def probed(judged: Judged) -> Probed:
    """Return what a record keeps of a probe."""
    result = judged[0]
    return Probed(result.step, result.protocol, result.accuracy_last, result.accuracy_best_epoch, result.seconds)


def recorded(
    pair: Pair, run: Run, data: ImageData, model: SimCLR, found: Sequence[Judged], before: Record | None
) -> Record:
    """Return the record of a trained run with the probes in `found`, and those that an earlier record has."""
    rows = read_history(run.history)
    path = run.folder / "geometry.csv"
    geometry = read_history(path, StateGeometry.columns) if path.exists() else []
    last = found[-1][0]
    return Record(
        cell=pair.cell.name,
        seed=pair.seed,
        config=run.config.to_dict() | {"data_dir": None},
        versions=_versions(run),
        train_images=len(data.train),
        test_images=len(data.test),
        steps=len(rows),
        train_seconds=round(sum(float(row["seconds"]) for row in rows), 1),
        parameters=[int(sum(np.prod(w.shape) for w in part.trainable_weights)) for part in (model.head, model)],
        losses=[round(float(row["loss"]), 4) for row in rows],
        geometry=[{name: round(float(value), 6) for name, value in row.items()} for row in geometry],
        probes=sorted([*(before.probes if before else []), *map(probed, found)], key=lambda probe: probe.batch),
        class_names=list(data.class_names),
        confusion=last.confusion if before is None or last.step == before.steps else before.confusion,
    )


def _versions(run: Run) -> dict[str, str]:
    """Return what made the run; of the machine only what times depend on.

    Raises:
        UserError: The file is damaged.
    """
    return read_versions(run.folder) | {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "commit": checkout_commit(),
    }


def checkout_commit(source: Path = Path(__file__)) -> str:
    """Return the commit of the checkout that tracks `source`, with `, changed` after edits; `none` without one."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(source.parent), *words], capture_output=True, text=True, check=False
            )
        except OSError:  # no git on this machine
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None or git("ls-files", "--error-unmatch", source.name) is None:
        return "none"  # an installed package, whatever repository its environment lies in
    return f"{commit}, changed" if git("status", "--porcelain", "--untracked-files=no") else commit
