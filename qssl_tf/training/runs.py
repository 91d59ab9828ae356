"""Run folders: settings, versions, checkpoints and the exact state of training, each file written in one step."""

import os
import platform
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import UserError, reason
from qssl_tf.files import making, write_json
from qssl_tf.reading import parse_json, read_json
from qssl_tf.training.schedule import schedule

RUNS_DIR = Path("runs")
PACKAGE = Path(__file__).resolve().parents[1]
WEIGHTS = PACKAGE / "weights"  # trained runs that come with the package
LATEST = "latest"
SUMS = "SHA256SUMS"  # in folders that were made for others: their files stay as they are
MAX_SIDE = 4096  # pixels; a damaged file must not ask for a network of any size
PARTS = ("checkpoints", "state", "figures", "tensorboard", "ibmq")  # folders in a run folder
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
    config: Config, runs_dir: Path, name: str | None, dataset: str, facts: Mapping[str, Any] | None = None
) -> Run:
    """Make a new run folder with `config.json`, `versions.json` and, where the images are at hand, `data.json`.

    Args:
        config: The run's settings.
        runs_dir: Folder of all runs.
        name: Name of the folder; None makes one of data set, head, seed and time.
        dataset: The data set's full name, with its version, for the record.
        facts: `ImageData.facts()` of the images.

    Raises:
        UserError: The name holds a path, or a folder of that name exists.
    """
    if name is not None and (name != Path(name).name or name in ("", ".", "..", LATEST)):
        raise UserError(f"--name must be a plain folder name other than '{LATEST}'; got {name!r}.")
    folder = runs_dir / (name or _fresh_name(config, runs_dir))
    if folder.exists():
        raise UserError(f"{folder} exists already; choose another --name, or continue it with --resume {folder}.")
    with making(folder) as begun:  # a kill leaves no half of a folder, whose name would be taken
        for part in PARTS[:4]:
            (begun / part).mkdir()
        write_json(begun / "versions.json", versions() | {"dataset": dataset})
        if facts is not None:
            write_json(begun / "data.json", dict(facts))
        write_json(begun / "config.json", config.to_dict())
    return Run(folder, config)


def read_facts(run: Run) -> dict[str, Any] | None:
    """Return what `data.json` says of the run's images; None where an older run has none.

    Raises:
        UserError: It is damaged, or describes no images.
    """
    path = run.folder / "data.json"
    if not path.exists():
        return None
    try:
        facts = read_json(path)
        height, width, channels = facts["image_shape"]
        fits = all(type(side) is int and 1 <= side <= MAX_SIDE for side in (height, width)) and channels in (1, 3)
        if not fits or not all(isinstance(name, str) for name in facts["class_names"]):
            raise ValueError("its shape or class names are none")
        return facts
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not describe images ({reason(error)}); restore it, or remove it.") from None


def unfinished(run: Run, step: int) -> str:
    """Return in a clause what the weights after `step` steps lack of the whole training; nothing where they lack none.

    Raises:
        UserError: `data.json` is damaged.
    """
    images = (read_facts(run) or {}).get("train_images")  # runs of earlier versions did not say
    if type(images) is not int:
        return ""
    steps = schedule(run.config, images).steps
    if step >= steps:
        return ""
    stopped = max(run.checkpoint_steps(), default=0) < steps
    return f"step {step} of {steps}, {'training is unfinished' if stopped else 'not the last of its training'}"


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object of a run folder, an empty one where it is not there.

    Raises:
        UserError: It is damaged.
    """
    if not path.is_file():
        return {}
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)}); restore or remove it.") from None


def _fresh_name(config: Config, runs_dir: Path) -> str:
    head = config.ansatz if config.head == "quantum" else config.head
    stem = f"{config.dataset}-{head}-s{config.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (runs_dir / name).exists())


def versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers."""
    found = {name: metadata.version(name) for name in RECORDED_PACKAGES}
    return {"python": platform.python_version(), "machine": platform.platform(), **found}


def point_latest(folder: Path) -> None:
    """Let `latest` beside `folder` point to it, in one step."""
    temporary = folder.parent / f".{LATEST}-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    os.replace(temporary, folder.parent / LATEST)


def open_run(path: Path) -> Run:
    """Open a run folder, or a run that comes with the package by its name.

    Raises:
        UserError: It is missing, is not a run folder, or its settings are damaged.
    """
    if not path.exists() and str(path) in ready_names():
        path = WEIGHTS / path
    if not path.is_dir():
        raise UserError(f"run folder {path} does not exist; {_known_runs(path.parent)}")
    if not (path / "config.json").is_file():
        raise UserError(f"{path} is not a run folder: it holds no config.json; {_known_runs(path.parent)}")
    outside = next((part for part in PARTS if (path / part).is_symlink()), None)
    if outside:
        raise UserError(f"{path / outside} is a link to another place; a run folder must hold its own files.")
    return Run(path.resolve() if path.is_symlink() else path, Config.from_json(path / "config.json"))


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
    if not (copy / SUMS).is_file() or (copy / SUMS).read_bytes() != (folder / SUMS).read_bytes():
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


def newest_run(runs_dir: Path) -> Run:
    """Open the run that `latest` points to.

    Raises:
        UserError: There is none.
    """
    latest = runs_dir / LATEST
    if not latest.is_dir():
        raise UserError(f"no newest run in {runs_dir}; {_known_runs(runs_dir)}")
    if latest.is_symlink():
        latest = runs_dir / os.readlink(latest)
        if latest.parent != runs_dir:
            raise UserError(f"{runs_dir / LATEST} points out of its folder, to {latest}; name a run with its folder.")
    return open_run(latest)


def _known_runs(runs_dir: Path) -> str:
    names = sorted(path.parent.name for path in runs_dir.glob("*/config.json") if path.parent.name != LATEST)
    if not names:
        return f"{runs_dir} holds no runs: make one with `make pretrain`."
    return f"runs there: {', '.join(names[-5:])}; name one with its folder."


def choose_step(run: Run, wanted: str) -> list[int]:
    """Return the checkpoint steps that `wanted` means: `all`, `last` or a step's number.

    Raises:
        UserError: There is no such checkpoint, or none at all.
    """
    steps = run.checkpoint_steps()
    if not steps:
        raise UserError(f"{run.folder} holds no checkpoints; continue it with --resume {run.folder}.")
    if wanted == "all":
        return steps
    if wanted == "last":
        return steps[-1:]
    if not wanted.isdecimal() or int(wanted) not in steps:
        raise UserError(f"--checkpoint must be all, last or one of {', '.join(map(str, steps))}; got '{wanted}'.")
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
