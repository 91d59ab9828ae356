"""Where a study keeps its runs, and whose run a folder holds."""

from dataclasses import dataclass
from pathlib import Path

from qssl_tf.reproduction.records import refuse_other_settings
from qssl_tf.reproduction.studies import Pair
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
