"""`qssl_tf.compare`: run folders, or arms trained with the same seeds, judged together."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qssl_tf.arguments import as_path, checks_arguments
from qssl_tf.commands import argument
from qssl_tf.comparison.comparison import Comparison, compared
from qssl_tf.comparison.equivalence import check_margin
from qssl_tf.comparison.files import write_comparison
from qssl_tf.comparison.run_folders import observe
from qssl_tf.config import Config
from qssl_tf.errors import UserError, shown
from qssl_tf.studies.compare_jobs import InProcesses
from qssl_tf.studies.options import check_processes
from qssl_tf.studies.storage import Storage
from qssl_tf.studies.trained_arms import compare_trained, comparison_specs, named_arms

MARGIN = 1.5  # percentage points: about the spread of one arm's seeds under the paper's protocol
FOLDER = Path("runs/compare")


@checks_arguments
def compare(
    arms: Any,
    seeds: Sequence[int] | None = None,
    *,
    config: Config | None = None,
    baseline: str | None = None,
    margin: float = MARGIN,
    batch: int | None = None,
    folder: str | Path = FOLDER,
    results: str | Path | None = None,
    processes: int = 1,
) -> Comparison:
    """Compare runs seed by seed, as `qssl compare` does: intervals, paired tests and a test of equivalence.

    With `seeds` arms are trained and probed first; what is finished is not done again, so the same call goes on after
    it was stopped. Tables (Markdown, CSV, LaTeX, JSON) and a figure are written into `results`.

    Args:
        arms: Without `seeds`, folders of trained and probed runs, which become arms by their settings, or a mapping
            from names of arms to their folders. With `seeds`, names of arms of `qssl reproduce` (your own circuits and
            encoders are among them), or a mapping from names to a Config each, or to the settings in which an arm
            differs from `config`.
        seeds: Seeds to train each arm with; two at least.
        config: What arms with `seeds` share; None takes the preset `digits`.
        baseline: The arm that others are compared with; None takes the first.
        margin: Percentage points below which a difference counts as none; state it before you look.
        batch: Training batches after which arms with `seeds` are probed; None takes the last.
        folder: Where the runs of arms with `seeds` are kept.
        results: Where records, tables and figure go; None takes `results` within `folder`.
        processes: Runs that are trained at a time. With two or more each has a process of its own, which knows your
            own circuits, encoders and objectives only if a plugin's file registers them (`QSSL_TF_PLUGINS`).

    Returns:
        `accuracies` by arm and seed, `rows` with the statistics of each arm, `omissions`; printed, it is a table.

    Raises:
        UserError: An unknown arm, too few seeds, a margin that is not above 0, runs that were not probed or that were
            judged on different images, or settings that cannot be used.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    check_margin(margin)
    check_processes(processes)
    storage = Storage(Path(folder), Path(results) if results is not None else Path(folder) / "results")
    if seeds is None:
        for name, value in (("config", config), ("batch", batch)):
            if value is not None:
                raise UserError(f"{argument(name)} belongs to arms with `seeds`; runs that are there have their own.")
        found = compared(observe(_folders(arms)), baseline, margin)
    else:
        specs = comparison_specs(_settings(arms, config or Config()), seeds)
        train = InProcesses(processes) if processes > 1 else None
        found = write_comparison(storage.results, compare_trained(specs, storage, baseline, margin, batch, train))
        if train:
            train.say_failed(storage.folder)
        return found
    return write_comparison(storage.results, found)


def _folders(arms: Any) -> list[str | Path] | dict[str, list[str | Path]]:
    """Return run folders, or those of each arm; a run that is open stands for its folder."""
    if isinstance(arms, Mapping):
        return {str(name): _paths(folders) for name, folders in arms.items()}
    return _paths(arms)


def _paths(folders: Any) -> list[str | Path]:
    given = folders if isinstance(folders, Iterable) and not isinstance(folders, str) else [folders]
    paths: list[Any] = [getattr(one, "folder", one) for one in given]
    for path in paths:
        if not isinstance(path, str | Path):
            raise UserError(f"`arms` without `seeds` must be run folders, or map names to them; got {shown(path)}.")
    return [as_path("arms", path) for path in paths]


def _settings(arms: Any, base: Config) -> dict[str, Config]:
    """Return the settings of each arm to train."""
    if isinstance(arms, Mapping):
        return {str(name): _changed(str(name), settings, base) for name, settings in arms.items()}
    if isinstance(arms, str) or not isinstance(arms, Iterable) or not all(isinstance(name, str) for name in arms):
        raise UserError(
            f"`arms` with `seeds` must be names of arms, or map names of your own to settings; got {shown(arms)}."
        )
    return named_arms(list(arms), base)


def _changed(name: str, settings: Any, base: Config) -> Config:
    if isinstance(settings, Config):
        return settings
    if not isinstance(settings, Mapping):
        raise UserError(f"`arms` must map names to a Config or to settings; got {shown(settings)} for {name}.")
    return Config.from_dict(base.to_dict() | dict(settings))
