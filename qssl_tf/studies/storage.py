"""The folders of a study, and its runs in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.errors import UserError
from qssl_tf.studies.records import Record, read_record, refuse_other_settings
from qssl_tf.studies.studies import RunSpec
from qssl_tf.training.runs import Run, open_run


@dataclass(frozen=True)
class Storage:
    """Where a study reads its images and keeps its runs and results.

    Attributes:
        folder: Folder of the run folders.
        results: Folder of records, report and figures.
        data_dir: Folder of prepared TFDS data; None for TFDS's default.
        keep_weights: Keep the weights after every probed batch.
    """

    folder: Path
    results: Path
    data_dir: str | None = None
    keep_weights: bool = False


def existing_run(spec: RunSpec, folder: Path) -> Run | None:
    """Return the run of `spec` in `folder`; None if there is none, or it was killed before its settings were written.

    Raises:
        UserError: Its folder holds something else.
    """
    path = folder / spec.name
    if not path.exists():
        return None
    if path.is_dir() and not (path / "config.json").exists():
        files = {entry.name for entry in path.rglob("*") if not entry.is_dir() and not entry.name.startswith(".")}
        if files <= {"versions.json"}:
            return None
    run = open_run(path)
    refuse_other_settings(path, run.config, spec)
    return run


def finished_run(spec: RunSpec, storage: Storage) -> tuple[Record, Run]:
    """Return the record and the run folder of a finished run.

    Raises:
        UserError: It is not finished, or its folder with the weights is gone.
    """
    record, run = read_record(storage.results, spec), existing_run(spec, storage.folder)
    if record is None:
        raise UserError(f"{storage.folder / spec.name} is not finished; finish the study's runs first.")
    if run is None:
        raise UserError(
            f"{storage.folder / spec.name} is gone, and with it the weights; bring it back, or move its record "
            f"({spec.name}.json) away to train it again."
        )
    return record, run


def require_weights(run: Run, steps: Sequence[int]) -> None:
    """Refuse to probe checkpoints that were not kept.

    Raises:
        UserError: Some are missing; the message lists their batches.
    """
    missing = sorted(set(steps) - set(run.checkpoint_steps()))
    if missing:
        raise UserError(
            f"{run.folder} keeps no weights after batch {', '.join(map(str, missing))}; probe fewer batches with "
            f"{argument('batches', 'table')}, or move the run folder away to train it again."
        )
