"""A run as a folder for others: settings, images' facts, one checkpoint, probe, pictures, card and checksums."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.errors import UserError
from qssl_tf.evaluation.probe_files import read_classifier, read_probe
from qssl_tf.evaluation.trained_run import TrainedRun
from qssl_tf.files.checksums import write_sums
from qssl_tf.files.read import MAX_TABLE, copy_file, read_png
from qssl_tf.files.write import making, write_json, write_text
from qssl_tf.sharing.card import Facts, card, seeds_of
from qssl_tf.training.callbacks import StateGeometry
from qssl_tf.training.checkpoints import save_weights
from qssl_tf.training.history import COLUMNS, read_history
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.runs import Run, open_run

TABLES: dict[str, Sequence[str]] = {"history.csv": COLUMNS, "geometry.csv": StateGeometry.columns}
PICTURES = ("history.csv", "geometry.csv", "figures")  # what nobody needs to use the weights


def share(
    run: TrainedRun, folder: Path, *, seeds: Sequence[Path] = (), licence: str, note: str = "", small: bool = False
) -> Path:
    """Write a run as a self-contained folder with a model card; the run itself stays as it is.

    Args:
        run: The run, with the weights to be given away.
        folder: The new folder.
        seeds: Folders of probed runs with the same settings and other seeds, for the card.
        licence: Of the weights.
        note: Text for the card, about what a reader must know besides.
        small: Leave out the tables of steps and the figures.

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
    others = seeds_of(run.config, [(str(path), *_accuracy(path)) for path in seeds])
    versions = read_versions(run.folder)
    config = replace(run.config, data_dir=None)  # a path of this machine is nobody else's business
    lacking = unfinished(source, run.step)
    about = Facts(folder.name, config, facts, versions, run.step, probe, others, licence, lacking, note)
    with making(folder) as begun:
        (begun / "checkpoints").mkdir()
        save_weights(Run(begun, config), run.model, run.step)
        write_json(begun / "config.json", config.to_dict())
        write_json(begun / "versions.json", {name: entry for name, entry in versions.items() if name != "machine"})
        for name in ("data.json", *(("probe.json", "probe.npz") if probe else ())):
            _copy(run.folder / name, begun / name)
        for name in () if small else PICTURES:
            _copy(run.folder / name, begun / name)
        write_text(begun / "README.md", card(about))
        write_sums(begun)
    return folder


def _probe(source: Run, step: int) -> dict | None:
    """Return the probe's result, which must be of this step; None where there is none."""
    if not source.probe.exists():
        return None
    probed, _ = read_classifier(source.probe)
    if probed != step:
        raise UserError(
            f"{source.probe} is of step {probed} and the weights are of {step}; probe them, or share those."
        )
    return read_probe(source.probe)


def _accuracy(path: Path) -> tuple:
    other = open_run(path)
    return other.config, read_probe(other.probe)["accuracy_last"]


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or the pictures of a folder; where there is none, nothing.

    Raises:
        UserError: It is something else than its name says, which might be nobody's business.
    """
    if source.is_dir():
        target.mkdir()
        for picture in sorted(source.glob("*.png")):
            _copy(picture, target / picture.name)
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
