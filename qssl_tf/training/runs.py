"""Run folders: settings, versions, checkpoints and training state, each file written atomically."""

import difflib
import platform
import re
import shutil
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument, command, resumption
from qssl_tf.config import Config
from qssl_tf.environment import installed
from qssl_tf.errors import UserError, shown
from qssl_tf.files.checksums import SUMS, check_sums, listed
from qssl_tf.files.latest import check_latest
from qssl_tf.files.links import LATEST, check_own_files, pointed
from qssl_tf.files.read import named, parse_json
from qssl_tf.files.write import first_free, making, write_json
from qssl_tf.markup import printable

RUNS_DIR = Path("runs")
PACKAGE = Path(__file__).resolve().parents[1]
WEIGHTS = PACKAGE / "weights"  # trained runs that come with the package
SHOWN_RUNS = 5  # in messages
PARTS = ("checkpoints", "state", "figures", "tensorboard")  # folders in a run folder
DEVICE_PACKAGES = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime")  # on which a device's circuit and noise depend
RECORDED_PACKAGES = (
    "qssl-tf", "tensorflow", "tensorflow-quantum", "keras", "cirq-core", "numpy", "tensorflow-datasets", "scikit-learn",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run folder and the settings in its `config.json`."""

    folder: Path
    config: Config

    @property
    def history(self) -> Path:
        """The table of steps."""
        return self.folder / "history.csv"

    @property
    def model(self) -> Path:
        """The trained model as one Keras file."""
        return self.folder / "model.keras"

    @property
    def state(self) -> Path:
        """The state from which training resumes."""
        return self.folder / "state" / "state.npz"

    @property
    def previous_state(self) -> Path:
        """The state before the last, as a backup."""
        return self.folder / "state" / "previous.npz"

    @property
    def probe(self) -> Path:
        """The linear probe's result."""
        return self.folder / "probe.json"

    def checkpoint(self, step: int) -> Path:
        """Return the path of the weights after `step` steps."""
        return self.folder / "checkpoints" / f"step-{step:06d}.weights.h5"

    def figure(self, name: str) -> Path:
        """Return the path of the figure called `name`."""
        return self.folder / "figures" / f"{name}.png"

    def checkpoint_steps(self) -> list[int]:
        """Return the steps of all checkpoints, sorted."""
        paths = (self.folder / "checkpoints").glob("step-*.weights.h5")
        return sorted(int(match[1]) for path in paths if (match := re.fullmatch(r"step-(\d+)\.weights\.h5", path.name)))


def create_run(
    config: Config,
    runs_dir: Path,
    name: str | None,
    dataset: str,
    image_metadata: Mapping[str, Any] | None = None,
    custom_parts: Mapping[str, str] | None = None,
    twin: Mapping[str, Any] | None = None,
) -> Run:
    """Create a run folder with `config.json`, `versions.json` and, if they are given, `data.json` and `twin.json`.

    Args:
        config: The run's settings.
        runs_dir: Folder of all runs.
        name: Name of the folder; None derives one from data set, head, seed and time.
        dataset: The data set's full name, with its version, for the record.
        image_metadata: `ImageData.metadata()` of the images.
        custom_parts: Fingerprints of user-defined parts of the model, see `provenance.custom_parts`.
        twin: What `QuantumHead.twin` says of the device for whose noise the run is trained.

    Raises:
        UserError: The name is not a plain folder name, or the folder exists.
    """
    if name is not None:
        check_plain_name(name)
    check_latest(runs_dir)

    def make(folder: Path) -> Run:
        with making(folder) as temporary:  # so that a killed process leaves no incomplete folder under that name
            for part in PARTS:
                (temporary / part).mkdir()
            own = {"dataset": dataset} | dict(custom_parts or {})
            of_device = {package: metadata.version(package) for package in DEVICE_PACKAGES} if twin else {}
            write_json(temporary / "versions.json", versions() | of_device | own)
            if image_metadata is not None:
                write_json(temporary / "data.json", dict(image_metadata))
            if twin is not None:
                write_json(temporary / "twin.json", dict(twin))
            write_json(temporary / "config.json", config.to_dict())
        return Run(folder, config)

    if name is None:
        return first_free(runs_dir / _fresh_name(config), make)
    folder = runs_dir / name
    try:
        return make(folder)
    except FileExistsError:
        raise UserError(
            f"{folder} exists already; choose another {argument('name')}, or continue it with {resumption(folder)}."
        ) from None


def check_plain_name(name: str, what: str | None = None) -> None:
    """Refuse names, called `what`, that are not plain folder names, look like a flag, or contain control characters.

    Raises:
        UserError: The name is refused.
    """
    is_plain = name == Path(name).name and name not in ("", ".", "..", LATEST) and not name.startswith("-")
    if not is_plain or any(unicodedata.category(letter) == "Cc" for letter in name):
        raise UserError(f"{what or argument('name')} must be a plain folder name other than '{LATEST}'; got {name!r}.")


def _fresh_name(config: Config) -> str:
    head = config.ansatz if config.head == "quantum" else config.head
    stem = f"{config.dataset}-{head}-s{config.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem)


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform and all packages here on which a run's numbers depend."""
    packages = {name: version for name in RECORDED_PACKAGES if (version := installed(name))}
    return {"python": platform.python_version(), "machine": platform.platform(), **packages}


def open_run(path: Path) -> Run:
    """Open a run folder, or by its name a run that comes with the package.

    The folder is not trusted: links in it are refused, and checksums, if it has any, are verified each time.

    Raises:
        UserError: It is missing or not a run folder, contains links or files that do not match its checksums, or its
            settings are damaged.
    """
    if not path.exists() and str(path) in ready_names():
        path = WEIGHTS / path
    if not path.is_dir():
        raise UserError(f"run folder {path} does not exist; {_known_runs(path.parent, path.name)}")
    if not (path / "config.json").is_file():
        runs_inside = _runs_in(path)
        raise UserError(
            f"{path} is not a run folder: it holds no config.json; {_known_runs(path if runs_inside else path.parent)}"
        )
    check_own_files(path)
    check_sums(path)
    return Run(named(path), Config.from_json(path / "config.json"))


def ready_names() -> list[str]:
    """Return the names of the runs that come with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/config.json"))


def own_folder(folder: Path, runs_dir: Path = RUNS_DIR) -> Path:
    """Return the folder for results of a run: its own, or a copy if the run comes with the package.

    Args:
        folder: Folder of the run.
        runs_dir: Folder of the copy, which is made if it does not exist.

    Raises:
        UserError: The folder of the copy contains another run.
    """
    if PACKAGE not in folder.resolve().parents:
        return folder
    copy = runs_dir / folder.name
    if not copy.exists():
        with suppress(FileExistsError), making(copy) as temporary:  # another process may have created it meanwhile
            shutil.copytree(folder, temporary, dirs_exist_ok=True)
    if not (copy / "config.json").is_file() or listed(open_run(copy).folder) != listed(folder):
        raise UserError(
            f"{copy} is another run than {folder.name} that comes with the package, whose results would go there; "
            "rename it."
        )
    return copy


def check_own(folder: Path) -> None:
    """Refuse to write into a run that comes with the package.

    Raises:
        UserError: The run comes with the package.
    """
    if PACKAGE in folder.resolve().parents:
        raise UserError(f"{folder} comes with the package and stays as it is; train a run of your own.")


def check_open_to_training(run: Run) -> None:
    """Refuse to train a run that comes with the package, or that was made for sharing.

    Raises:
        UserError: It is such a run.
    """
    check_own(run.folder)
    if (run.folder / SUMS).exists():
        raise UserError(
            f"{run.folder} was made for others and keeps its weights; copy it and remove {SUMS} there to go on with it."
        )


def newest_run(runs_dir: Path) -> Run:
    """Open the run that `latest` points to.

    Raises:
        UserError: There is none.
    """
    if not (runs_dir / LATEST).is_dir():
        raise UserError(f"no newest run in {runs_dir}; {_known_runs(runs_dir)}")
    return open_run(pointed(runs_dir))


def _runs_in(folder: Path) -> list[Path]:
    """Return the run folders in a folder, newest first."""
    configs = [path for path in folder.glob("*/config.json") if path.parent.name != LATEST]
    return [path.parent for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True)]


def _known_runs(runs_dir: Path, name: str = "") -> str:
    """Return a clause that suggests the run that was meant, or lists the existing ones."""
    for folder in (runs_dir, RUNS_DIR):
        if (folder / name / "config.json").is_file() and name:
            return f"did you mean {folder / name}?"
    if name and not _runs_in(runs_dir) and _runs_in(RUNS_DIR):
        runs_dir = RUNS_DIR  # a name without its folder
    runs = {path.name: path for path in _runs_in(runs_dir)}
    if not runs:
        return f"{runs_dir} holds no runs: make one with `{command('pretrain')}`."
    if near := difflib.get_close_matches(name, runs, n=1):
        return f"did you mean {runs[near[0]]}?"
    names, extra_count = [printable(name) for name in runs], len(runs) - SHOWN_RUNS
    newest = f"{', '.join(names[:SHOWN_RUNS])}{f' and {extra_count} more' if extra_count > 0 else ''}"
    return f"runs in {runs_dir}, the newest first: {newest}; name one with its folder."


def choose_step(run: Run, selector: str) -> list[int]:
    """Return the checkpoint steps that `selector` names: `all`, `last` or a step.

    Raises:
        UserError: There is no such checkpoint, or none at all.
    """
    steps = run.checkpoint_steps()
    if not steps:
        raise UserError(f"{run.folder} holds no checkpoints; continue it with {resumption(run.folder)}.")
    if selector == "all":
        return steps
    if selector == "last":
        return steps[-1:]
    if not re.fullmatch(r"[0-9]{1,12}", selector) or int(selector) not in steps:
        raise UserError(
            f"{argument('checkpoint')} must be all, last or one of {', '.join(map(str, steps))}; got {shown(selector)}."
        )
    return [int(selector)]


def check_same_config(source: Path, config_json: str, config: Config) -> None:
    """Refuse a checkpoint that was written with settings other than `config`.

    Raises:
        UserError: With all differences.
    """
    written = Config.from_dict(parse_json(config_json))
    differences = config.differences(replace(written, simulator=config.simulator))  # all have the same weights
    if differences:
        raise UserError(
            f"{source} was written with other settings ({'; '.join(differences)}); "
            "use the config.json it was written with, or another checkpoint."
        )
