"""All pictures of a run and one page with everything: `python -m qssl_tf.report` writes `report.html`."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qssl_tf.arguments import checks_arguments
from qssl_tf.flags import Parser, run_command

if TYPE_CHECKING:
    from qssl_tf.data.images import ImageData
    from qssl_tf.workflow import TrainedRun

PROBED = (
    "split", "protocol", "step", "features", "n_train", "n_test", "accuracy_last", "balanced_accuracy",
    "majority_share", "accuracy_best_epoch",
)  # fmt: skip
DEVICE = (
    "backend", "images", "shots", "mitigation", "two_qubit_gates", "accuracy", "accuracy_exact", "balanced_accuracy",
    "majority_share", "rms_error",
)  # fmt: skip
PERCENT = ("accuracy", "balanced_accuracy", "majority_share")  # how names begin that are in percent


def parser() -> Parser:
    """Return the command line."""
    made = Parser(prog="python -m qssl_tf.report", description="Draw a run and gather what it found on one page.")
    made.add_argument("run", nargs="?", type=Path, metavar="RUN", help="run folder, or ready weights (default: newest)")
    made.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs")
    made.add_argument("--checkpoint", default="last", metavar="STEP", help="whose weights are drawn (default: last)")
    made.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="where the images lie now (default: as the run's settings say)"
    )
    return made


def main() -> None:
    """Draw, write the page, and say where it is."""
    arguments = parser().parse_args()

    from qssl_tf.training.facts import unfinished
    from qssl_tf.training.provenance import images_of_run
    from qssl_tf.training.runs import newest_run, open_run, own_folder
    from qssl_tf.workflow import load_run

    folder = arguments.run or newest_run(arguments.runs_dir).folder
    run = load_run(folder, arguments.checkpoint)
    run = replace(run, folder=own_folder(run.folder, arguments.runs_dir))
    opened = open_run(run.folder)
    print(f"{run.folder}: drawing {unfinished(opened, run.step) or f'step {run.step}'}", flush=True)
    data = images_of_run(opened, data_dir=arguments.data_dir) if arguments.data_dir else None
    print(f"report: {write_report(run, data)}")


@checks_arguments
def write_report(run: "TrainedRun | str | Path", data: "ImageData | None" = None) -> Path:
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
    from qssl_tf.pictures.of_run import draw_run
    from qssl_tf.training.runs import own_folder
    from qssl_tf.workflow import as_run

    run = as_run(run)
    run = replace(run, folder=own_folder(run.folder))
    return write_page(run, draw_run(run, data))


def write_page(run: "TrainedRun", drawn: Mapping[str, Path | str]) -> Path:
    """Write `report.html` of what the run folder holds, and return its path.

    Args:
        run: The run.
        drawn: What each picture of `draw_run` shows, and its file, or why there is none.

    Raises:
        UserError: A record is damaged, a picture is no picture, or the folder was made for others with its report.
    """
    from qssl_tf.checksums import refuse_listed
    from qssl_tf.evaluation.device_result import read_result
    from qssl_tf.evaluation.probe_files import read_probe
    from qssl_tf.files import write_text
    from qssl_tf.pictures.page import page, pictures, settings_table, table, text
    from qssl_tf.training.facts import read_facts, read_versions, unfinished
    from qssl_tf.training.runs import open_run

    opened, folder, figures = open_run(run.folder), run.folder, run.folder / "figures"
    path = folder / "report.html"
    refuse_listed(folder, [path], "report")
    curves = {
        "loss and contrastive accuracy in training": figures / "loss.png",
        "images and their two views": figures / "views.png",
    }
    facts = read_facts(opened) or {}
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
    from qssl_tf.pictures.page import table

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


if __name__ == "__main__":
    sys.exit(run_command(main))
