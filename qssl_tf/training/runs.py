"""Run folders: settings, versions, checkpoints and the exact state of training, each file written in one step."""

import difflib
import platform
import re
import shutil
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument, command, resumption
from qssl_tf.config import Config
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
SHOWN_RUNS = 5  # in a message
PARTS = ("checkpoints", "state", "figures", "tensorboard")  # folders in a run folder
RECORDED_PACKAGES = (
    "qssl-tf", "tensorflow", "tensorflow-quantum", "keras", "cirq-core", "numpy", "tensorflow-datasets", "scikit-learn",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One run folder and the settings that stand in its `config.json`."""

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
        """What resume starts from."""
        return self.folder / "state" / "state.npz"

    @property
    def previous_state(self) -> Path:
        """The state before it, in case it is damaged."""
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
        """Return the steps after which weights were kept, in order."""
        found = (self.folder / "checkpoints").glob("step-*.weights.h5")
        return sorted(int(match[1]) for path in found if (match := re.fullmatch(r"step-(\d+)\.weights\.h5", path.name)))


def create_run(
    config: Config,
    runs_dir: Path,
    name: str | None,
    dataset: str,
    facts: Mapping[str, Any] | None = None,
    own_parts: Mapping[str, str] | None = None,
) -> Run:
    """Make a new run folder with `config.json`, `versions.json` and, where the images are at hand, `data.json`.

    Args:
        config: The run's settings.
        runs_dir: Folder of all runs.
        name: Name of the folder; None makes one of data set, head, seed and time.
        dataset: The data set's full name, with its version, for the record.
        facts: `ImageData.metadata()` of the images.
        own_parts: Fingerprints of the user's own parts of the model, see `provenance.own_parts`.

    Raises:
        UserError: The name holds a path, or a folder of that name exists.
    """
    if name is not None:
        check_plain_name(name)
    check_latest(runs_dir)

    def make(folder: Path) -> Run:
        with making(folder) as begun:  # a kill leaves no half of a folder, whose name would be taken
            for part in PARTS:
                (begun / part).mkdir()
            write_json(begun / "versions.json", versions() | {"dataset": dataset} | dict(own_parts or {}))
            if facts is not None:
                write_json(begun / "data.json", dict(facts))
            write_json(begun / "config.json", config.to_dict())
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


def check_plain_name(name: str) -> None:
    """Refuse what cannot be the name of a folder, or would be read as a flag or not at all.

    Raises:
        UserError: It says what a name must be.
    """
    plain = name == Path(name).name and name not in ("", ".", "..", LATEST) and not name.startswith("-")
    if not plain or any(unicodedata.category(letter) == "Cc" for letter in name):
        raise UserError(f"{argument('name')} must be a plain folder name other than '{LATEST}'; got {name!r}.")


def _fresh_name(config: Config) -> str:
    head = config.ansatz if config.head == "quantum" else config.head
    stem = f"{config.dataset}-{head}-s{config.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem)


def versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers."""
    found = {name: metadata.version(name) for name in RECORDED_PACKAGES}
    return {"python": platform.python_version(), "machine": platform.platform(), **found}


def open_run(path: Path) -> Run:
    """Open a run folder, or a run that comes with the package by its name.

    This is the door for folders of strangers: links in it are refused, and a folder with checksums is compared with
    them, each time.

    Raises:
        UserError: It is missing, is not a run folder, holds links or other files than it vouches for, or its settings
            are damaged.
    """
    if not path.exists() and str(path) in ready_names():
        path = WEIGHTS / path
    if not path.is_dir():
        raise UserError(f"run folder {path} does not exist; {_known_runs(path.parent, path.name)}")
    if not (path / "config.json").is_file():
        inside = _runs_in(path)
        raise UserError(
            f"{path} is not a run folder: it holds no config.json; {_known_runs(path if inside else path.parent)}"
        )
    check_own_files(path)
    check_sums(path)
    return Run(named(path), Config.from_json(path / "config.json"))


def ready_names() -> list[str]:
    """Return the names of the runs that come with the package."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/config.json"))


def own_folder(folder: Path, runs_dir: Path = RUNS_DIR) -> Path:
    """Return where results about a run belong: its folder, or a copy of one that comes with the package.

    Args:
        folder: The run's.
        runs_dir: Where the copy is, and made if there is none.

    Raises:
        UserError: A folder of the copy's name holds something else.
    """
    if PACKAGE not in folder.resolve().parents:
        return folder
    copy = runs_dir / folder.name
    if not copy.exists():
        with suppress(FileExistsError), making(copy) as begun:  # or another process has made it meanwhile
            shutil.copytree(folder, begun, dirs_exist_ok=True)
    if not (copy / "config.json").is_file() or listed(open_run(copy).folder) != listed(folder):
        raise UserError(
            f"{copy} is another run than {folder.name} that comes with the package, whose results would go there; "
            "rename it."
        )
    return copy


def check_own(folder: Path) -> None:
    """Refuse to write into a run that comes with the package.

    Raises:
        UserError: It is one.
    """
    if PACKAGE in folder.resolve().parents:
        raise UserError(f"{folder} comes with the package and stays as it is; train a run of your own.")


def check_open_to_training(run: Run) -> None:
    """Refuse to train a run that comes with the package, or was made for others.

    Raises:
        UserError: It is one.
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
    """Return the run folders in a folder, the newest first."""
    found = [path for path in folder.glob("*/config.json") if path.parent.name != LATEST]
    return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def _known_runs(runs_dir: Path, wanted: str = "") -> str:
    """Return in a clause which runs there are, or which one was meant."""
    for folder in (runs_dir, RUNS_DIR):
        if (folder / wanted / "config.json").is_file() and wanted:
            return f"did you mean {folder / wanted}?"
    found = {path.name: path for path in _runs_in(runs_dir)}
    if not found:
        return f"{runs_dir} holds no runs: make one with `{command('pretrain')}`."
    if near := difflib.get_close_matches(wanted, found, n=1):
        return f"did you mean {found[near[0]]}?"
    names, more = [printable(name) for name in found], len(found) - SHOWN_RUNS
    newest = f"{', '.join(names[:SHOWN_RUNS])}{f' and {more} more' if more > 0 else ''}"
    return f"runs in {runs_dir}, the newest first: {newest}; name one with its folder."


def choose_step(run: Run, wanted: str) -> list[int]:
    """Return the checkpoint steps that `wanted` means: `all`, `last` or a step's number.

    Raises:
        UserError: There is no such checkpoint, or none at all.
    """
    steps = run.checkpoint_steps()
    if not steps:
        raise UserError(f"{run.folder} holds no checkpoints; continue it with {resumption(run.folder)}.")
    if wanted == "all":
        return steps
    if wanted == "last":
        return steps[-1:]
    if not re.fullmatch(r"[0-9]{1,12}", wanted) or int(wanted) not in steps:
        raise UserError(
            f"{argument('checkpoint')} must be all, last or one of {', '.join(map(str, steps))}; got {shown(wanted)}."
        )
    return [int(wanted)]


def check_same_config(source: Path, stored: str, config: Config) -> None:
    """Refuse a checkpoint whose own record of its settings is not `config`.

    Raises:
        UserError: They differ; each difference is named.
    """
    different = config.differences(Config.from_dict(parse_json(stored)))
    if different:
        raise UserError(
            f"{source} was written with other settings ({'; '.join(different)}); "
            "use the config.json it was written with, or another checkpoint."
        )
