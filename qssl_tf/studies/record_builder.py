"""Building the record of a run from its folder and its probes."""

import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.environment import usable_cores
from qssl_tf.evaluation.probe import FittedProbe
from qssl_tf.models.simclr import SimCLR
from qssl_tf.studies.records import ProbeRecord, Record
from qssl_tf.studies.studies import RunSpec
from qssl_tf.training.callbacks import StateGeometry
from qssl_tf.training.history import read_history
from qssl_tf.training.metadata import read_versions
from qssl_tf.training.runs import Run


def build_probe_record(probe: FittedProbe) -> ProbeRecord:
    """Return what a record keeps of a probe."""
    result, _ = probe
    return ProbeRecord(result.step, result.protocol, result.accuracy_last, result.accuracy_best_epoch, result.seconds)


def build_record(
    spec: RunSpec, run: Run, data: ImageData, model: SimCLR, probes: Sequence[FittedProbe], earlier: Record | None
) -> Record:
    """Return the record of a trained run with `probes` and those of its earlier record, if there is one."""
    rows = read_history(run.history)
    path = run.folder / "geometry.csv"
    geometry = read_history(path, StateGeometry.columns) if path.exists() else []
    last, _ = probes[-1]
    return Record(
        condition=spec.condition.name,
        seed=spec.seed,
        config=run.config.to_dict() | Config().places(),
        versions=_versions(run),
        train_images=len(data.train),
        test_images=len(data.test),
        steps=len(rows),
        train_seconds=round(sum(float(row["seconds"]) for row in rows), 1),
        parameters=[int(sum(np.prod(w.shape) for w in part.trainable_weights)) for part in (model.head, model)],
        losses=[round(float(row["loss"]), 4) for row in rows],
        geometry=[{name: round(float(value), 6) for name, value in row.items()} for row in geometry],
        probes=sorted(
            [*(earlier.probes if earlier else []), *map(build_probe_record, probes)], key=lambda probe: probe.batch
        ),
        class_names=list(data.class_names),
        confusion=last.confusion if earlier is None or last.step == earlier.steps else earlier.confusion,
    )


def _versions(run: Run) -> dict[str, str]:
    """Return versions and commit that made the run, and of the machine only what its times depend on.

    Raises:
        UserError: The file is damaged.
    """
    return read_versions(run.folder) | {
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "commit": checkout_commit(),
    }


def checkout_commit(source: Path = Path(__file__)) -> str:
    """Return the commit of the checkout that tracks `source`, followed by `, changed` if it has edits; else `none`."""

    def git(*arguments: str) -> str | None:
        try:
            process = subprocess.run(
                ["git", "-C", str(source.parent), *arguments], capture_output=True, text=True, check=False
            )
        except OSError:  # no git on this machine
            return None
        return process.stdout.strip() if process.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit is None or git("ls-files", "--error-unmatch", source.name) is None:
        return "none"  # an installed package, whose environment may lie within some other repository
    return f"{commit}, changed" if git("status", "--porcelain", "--untracked-files=no") else commit
