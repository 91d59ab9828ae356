"""A run as a folder for others: settings, facts about its images, one checkpoint, probe, figures, card, checksums."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.config import WHERE, Config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.probe_files import read_classifier, read_probe
from qssl_tf.evaluation.trained_run import TrainedRun
from qssl_tf.files.checksums import write_sums
from qssl_tf.files.read import MAX_TABLE, copy_file, read_png
from qssl_tf.files.write import making, write_json, write_text
from qssl_tf.sharing.card import CardContent, accuracies_by_seed, card
from qssl_tf.training.callbacks import StateGeometry
from qssl_tf.training.checkpoints import save_weights
from qssl_tf.training.history import COLUMNS, read_history
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.online_test import OnlineTest
from qssl_tf.training.runs import Run, open_run

TABLES: dict[str, Sequence[str]] = {
    "history.csv": COLUMNS,
    "geometry.csv": StateGeometry.columns,
    "online.csv": OnlineTest.columns,
}
OPTIONAL_FILES = ("history.csv", "geometry.csv", "online.csv", "figures")  # not needed to use the weights


def share(
    run: TrainedRun, folder: Path, *, seeds: Sequence[Path] = (), licence: str, note: str = "", small: bool = False
) -> Path:
    """Write a run as a self-contained folder with a model card; the run itself is not changed.

    Args:
        run: The run, with the weights to share.
        folder: The new folder.
        seeds: Folders of probed runs with the same settings and other seeds, for the card.
        licence: Of the weights.
        note: Further text for the card.
        small: Leave out the per-step tables and the figures.

    Returns:
        The folder.

    Raises:
        UserError: The folder exists, the probe is of other weights, or the other runs do not belong to this one.
    """
    source, facts = open_run(run.folder), read_image_metadata(open_run(run.folder))
    if folder.exists():
        raise UserError(f"{folder} exists already; name another folder with {argument('output')}.")
    if facts is None:
        raise UserError(f"{run.folder} was trained by an earlier version and does not say on what; train it again.")
    probe = _probe(source, run.step)
    others = accuracies_by_seed(run.config, [(str(path), *_accuracy(path)) for path in seeds])
    versions = read_versions(run.folder)
    # Paths of this machine are private.
    config = replace(run.config, **{name: getattr(Config(), name) for name in WHERE})
    missing = unfinished(source, run.step)
    content = CardContent(folder.name, config, facts, versions, run.step, probe, others, licence, missing, note)
    with making(folder) as target:
        (target / "checkpoints").mkdir()
        save_weights(Run(target, config), run.model, run.step)
        write_json(target / "config.json", config.to_dict())
        write_json(target / "versions.json", {name: entry for name, entry in versions.items() if name != "machine"})
        for name in ("data.json", "twin.json", *(("probe.json", "probe.npz") if probe else ())):
            _copy(run.folder / name, target / name)
        for name in () if small else OPTIONAL_FILES:
            _copy(run.folder / name, target / name)
        write_text(target / "README.md", card(content))
        write_sums(target)
    return folder


def _probe(source: Run, step: int) -> dict | None:
    """Return the probe's result, which must be of this step; None if there is none."""
    if not source.probe.exists():
        return None
    probe_step, _ = read_classifier(source.probe)
    if probe_step != step:
        raise UserError(
            f"{source.probe} is of step {probe_step} and the weights are of {step}; probe them, or share those."
        )
    return read_probe(source.probe)


def _accuracy(path: Path) -> tuple:
    other = open_run(path)
    return other.config, read_probe(other.probe)["accuracy_last"]


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or the figures of a folder, if it exists.

    Raises:
        UserError: Its content is not what its name says, so it might be private.
    """
    if source.is_dir():
        target.mkdir()
        for figure in sorted(source.glob("*.png")):
            _copy(figure, target / figure.name)
    elif source.exists():
        try:
            if source.name in TABLES:
                read_history(source, TABLES[source.name])
            if source.suffix == ".png":
                read_png(source)
            copy_file(source, target, MAX_TABLE)
        except UserError:
            raise
        except ValueError as error:
            raise UserError(f"{source} cannot be shared ({error}); remove it.") from None
