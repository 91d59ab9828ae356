"""A run's report: everything its folder holds on one page."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.images import ImageData
from qssl_tf.device.results import read_result
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.evaluation.trained_run import TrainedRun, as_run
from qssl_tf.files.checksums import refuse_listed
from qssl_tf.files.write import write_text
from qssl_tf.reports.page import page, pictures, settings_table, table, text
from qssl_tf.reports.pictures import draw_run
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.runs import open_run, own_folder

PROBED = (
    "split", "protocol", "step", "features", "n_train", "n_test", "accuracy_last", "balanced_accuracy",
    "majority_share", "accuracy_best_epoch",
)  # fmt: skip
DEVICE = (
    "backend", "images", "shots", "mitigation", "two_qubit_gates", "accuracy", "accuracy_exact", "balanced_accuracy",
    "majority_share", "rms_error",
)  # fmt: skip
PERCENT = ("accuracy", "balanced_accuracy", "majority_share")  # how names begin that are in percent


@checks_arguments
def write_report(run: TrainedRun | str | Path, data: ImageData | None = None) -> Path:
    """Draw a run and write `report.html` into its folder: one page with everything, which needs no other file.

    Args:
        run: The run, or its folder. The page of one that comes with the package goes to a copy, `runs/NAME`.
        data: The images, where they were given to `pretrain`; None takes the run's own.

    Returns:
        The page's path.

    Raises:
        UserError: The run was trained on other images or holds a damaged record, or `runs/NAME` is another run than
            the package's.
    """
    run = as_run(run)
    run = replace(run, folder=own_folder(run.folder))
    return write_page(run, draw_run(run, data))


def write_page(run: TrainedRun, drawn: Mapping[str, Path | str]) -> Path:
    """Write `report.html` of what the run folder holds, and return its path.

    Args:
        run: The run.
        drawn: What each picture of `draw_run` shows, and its file, or why there is none.

    Raises:
        UserError: A record is damaged, a picture is no picture, or the folder was made for others with its report.
    """
    opened, folder, figures = open_run(run.folder), run.folder, run.folder / "figures"
    path = folder / "report.html"
    refuse_listed(folder, [path], "report")
    curves = {
        "loss and contrastive accuracy in training": figures / "loss.png",
        "images and their two views": figures / "views.png",
    }
    facts = read_image_metadata(opened) or {}
    probe = read_probe(folder / "probe.json") if (folder / "probe.json").is_file() else {}
    judged = {
        "test images by true and predicted class": figures / "confusion.png",
        "accuracy of the checkpoints": figures / "accuracy.png",
    }
    results = [path for path in sorted(folder.glob("ibmq/*/result.json")) if not path.parent.is_symlink()]
    devices = [read_result(result) | {"run": result.parent.name} for result in results]
    sections = {
        "Images": table(_rows(facts, [name for name in facts if not name.endswith("_sha256")])),
        "Training": pictures(curves),
        "Linear probe": table(_rows(probe, PROBED)) + pictures(judged) if probe else text("not probed yet"),
        "Representation": pictures(drawn),
        "Devices": _device_table(devices),
        "Settings": settings_table(run.config),
        "Versions": table(read_versions(folder).items()),
    }
    which = unfinished(opened, run.step) or f"step {run.step}"
    write_text(path, page(f"{folder.name}: {which}", sections))
    return path


def _device_table(devices: Iterable[dict[str, Any]]) -> str:

    names = ("run", *DEVICE)
    rows = [[_shown(name, entry[name]) if name in entry else "" for name in names] for entry in devices]
    return table(rows, [name.replace("_", " ") for name in names])


def _rows(values: dict[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """Return names and values as a reader wants them, accuracies in percent."""
    return [(name.replace("_", " "), _shown(name, values[name])) for name in names if name in values]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f} %" if name.startswith(PERCENT) else f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
