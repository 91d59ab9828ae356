"""The report of a run: everything in its folder on one page."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.images import ImageData
from qssl_tf.device.results import read_result
from qssl_tf.evaluation.evaluation_files import HEADS, read_evaluation, readings_of, rows
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.evaluation.trained_run import TrainedRun, as_run
from qssl_tf.files.checksums import refuse_listed
from qssl_tf.files.write import write_text
from qssl_tf.reports.figures import draw_run
from qssl_tf.reports.page import figures, page, settings_table, table, text
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.runs import open_run, own_folder

PROBE_FIELDS = (
    "split", "protocol", "step", "features", "n_train", "n_test", "accuracy_last", "balanced_accuracy",
    "majority_share", "accuracy_best_epoch",
)  # fmt: skip
DEVICE_FIELDS = (
    "backend", "images", "shots", "mitigation", "two_qubit_gates", "accuracy", "accuracy_exact", "balanced_accuracy",
    "majority_share", "rms_error",
)  # fmt: skip
HEAD_CAPTION = "what the head adds: the same probe on what stands in for it, and the paired differences"
PERCENT_PREFIXES = ("accuracy", "balanced_accuracy", "majority_share")  # fields with these prefixes are in percent


@checks_arguments
def write_report(run: TrainedRun | str | Path, data: ImageData | None = None) -> Path:
    """Draw a run and write `report.html` into its folder: one self-contained page with everything about it.

    Args:
        run: The run, or its folder. The page of one that comes with the package goes to a copy, `runs/NAME`.
        data: The images, if they were given to `pretrain`; None takes the run's own.

    Returns:
        The path of the page.

    Raises:
        UserError: The run was trained on other images or holds a damaged record, or `runs/NAME` is another run than
            the package's.
    """
    run = as_run(run)
    run = replace(run, folder=own_folder(run.folder))
    return write_page(run, draw_run(run, data))


def write_page(run: TrainedRun, sources: Mapping[str, Path | str]) -> Path:
    """Write `report.html` from the files of the run folder, and return its path.

    Args:
        run: The run.
        sources: What `draw_run` returned.

    Raises:
        UserError: A record is damaged, a figure is not a PNG file, or the folder was shared with its report.
    """
    opened, folder, figures_folder = open_run(run.folder), run.folder, run.folder / "figures"
    path = folder / "report.html"
    refuse_listed(folder, [path], "report")
    training_figures = {
        "loss and contrastive accuracy in training": figures_folder / "loss.png",
        "images and their two views": figures_folder / "views.png",
    }
    facts = read_image_metadata(opened) or {}
    probe = read_probe(folder / "probe.json") if (folder / "probe.json").is_file() else {}
    probe_figures = {
        "test images by true and predicted class": figures_folder / "confusion.png",
        "accuracy of the checkpoints": figures_folder / "accuracy.png",
    }
    results = [path for path in sorted(folder.glob("ibmq/*/result.json")) if not path.parent.is_symlink()]
    evaluation = read_evaluation(folder / "evaluation.json")
    devices = [read_result(result) | {"run": result.parent.name} for result in results]
    sections = {
        "Images": table(_rows(facts, [name for name in facts if not name.endswith("_sha256")])),
        "Training": text(f"objective: {run.config.objective}") + figures(training_figures),
        "Linear probe": table(_rows(probe, PROBE_FIELDS)) + figures(probe_figures) if probe else text("not probed yet"),
        "Evaluation": _evaluation_table(evaluation) + figures({HEAD_CAPTION: figures_folder / "head.png"}),
        "Representation": figures(sources),
        "Devices": _device_table(devices),
        "Settings": settings_table(run.config),
        "Versions": table(read_versions(folder).items()),
    }
    progress = unfinished(opened, run.step) or f"step {run.step}"
    write_text(path, page(f"{folder.name}: {progress}", sections))
    return path


def _evaluation_table(judges: Mapping[str, Any]) -> str:
    """Return what each judge said of the run, and of which step."""
    said = {name: readings_of(entry) for name, entry in judges.items()}
    cells = [[*row, judges[row[0]]["step"]] for row in rows(said)]
    return table(cells, (*HEADS, "step"))


def _device_table(devices: Iterable[dict[str, Any]]) -> str:
    names = ("run", *DEVICE_FIELDS)
    rows = [[_format(name, entry[name]) if name in entry else "" for name in names] for entry in devices]
    return table(rows, [name.replace("_", " ") for name in names])


def _rows(values: dict[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """Return names and formatted values for a table."""
    return [(name.replace("_", " "), _format(name, values[name])) for name in names if name in values]


def _format(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f} %" if name.startswith(PERCENT_PREFIXES) else f"{value:.3g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
