"""Where a study keeps its runs, and whose run a folder holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.errors import UserError
from qssl_tf.studies.records import Record, read_record, refuse_other_settings
from qssl_tf.studies.studies import Pair
from qssl_tf.training.runs import Run, open_run


@dataclass(frozen=True)
class Place:
    """Where a study's runs and results are, and what is kept of them.

    Attributes:
        folder: Run folders.
        results: Records, report and figures.
        data_dir: Folder of prepared TFDS data; None as TFDS has it.
        keep_weights: Keep the weights after every probed batch.
    """

    folder: Path
    results: Path
    data_dir: str | None = None
    keep_weights: bool = False


def held(pair: Pair, folder: Path) -> Run | None:
    """Return the run of a pair if its folder holds it, None if there is none or it was killed before it had settings.

    Raises:
        UserError: The folder holds something else.
    """
    path = folder / pair.name
    if not path.exists():
        return None
    if path.is_dir() and not (path / "config.json").exists():
        files = {entry.name for entry in path.rglob("*") if not entry.is_dir() and not entry.name.startswith(".")}
        if files <= {"versions.json"}:
            return None
    run = open_run(path)
    refuse_other_settings(path, run.config, pair)
    return run


def finished(pair: Pair, place: Place) -> tuple[Record, Run]:
    """Return the record and the folder of a finished run.

    Raises:
        UserError: It is not finished, or its folder is gone and with it the weights.
    """
    record, run = read_record(place.results, pair), held(pair, place.folder)
    if record is None:
        raise UserError(f"{place.folder / pair.name} is not finished; finish the study's runs first.")
    if run is None:
        raise UserError(
            f"{place.folder / pair.name} is gone, and with it the weights; bring it back, or move its record "
            f"({pair.name}.json) away to train it again."
        )
    return record, run


def require_weights(run: Run, steps: Sequence[int]) -> None:
    """Refuse to probe weights that were not kept.

    Raises:
        UserError: It names the batches.
    """
    gone = sorted(set(steps) - set(run.checkpoint_steps()))
    if gone:
        raise UserError(
            f"{run.folder} keeps no weights after batch {', '.join(map(str, gone))}; probe fewer batches with "
            f"{argument('batches', 'table')}, or move the run folder away to train it again."
        )
