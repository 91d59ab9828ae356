"""Find damaged files in a run folder, for example after a crash or a copy."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import UserError, reason
from qssl_tf.files.read import read_arrays, read_json
from qssl_tf.training.checkpoints import check_weights, read_state
from qssl_tf.training.history import read_history
from qssl_tf.training.metadata import read_image_metadata, read_twin, read_versions
from qssl_tf.training.runs import Run


def damaged_files(run: Run) -> Iterator[str]:
    """Yield one sentence for each damaged file of a run; other files in the folder are ignored.

    Settings, history, weights, states and the probe's result are read and compared with their checksums.
    """
    readers: dict[Path, Callable[[Path], Any]] = {
        run.folder / "config.json": Config.from_json,
        run.folder / "data.json": lambda path: read_image_metadata(run),
        run.folder / "versions.json": lambda path: read_versions(run.folder),
        run.folder / "twin.json": lambda path: read_twin(run),
        run.history: read_history,
        run.state: read_state,
        run.previous_state: read_state,
        run.probe: read_json,
        run.probe.with_suffix(".npz"): read_arrays,
        **{run.checkpoint(step): check_weights for step in run.checkpoint_steps()},
    }
    for path, reader in readers.items():
        if not path.exists():
            continue
        try:
            reader(path)
        except UserError as error:
            yield str(error)
        except (OSError, ValueError, KeyError) as error:
            yield f"{path} is damaged ({reason(error)})."
