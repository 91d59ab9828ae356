"""Run folders as a comparison sees them: trained to the end and probed, one arm for each set of settings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qssl_tf.comparison.observations import Observation, own_parts
from qssl_tf.config import WHERE
from qssl_tf.evaluation.probe_files import read_probe
from qssl_tf.training.metadata import read_image_metadata, read_versions, unfinished
from qssl_tf.training.runs import Run, open_run

SAME = "one, as all runs have the same settings"  # name of an arm that is alone, which a message tells


def settings_of(run: Run) -> dict[str, Any]:
    """Return what decides an arm: all settings but the seed and the places of images, and the user's own parts."""
    left_out = ("seed", *WHERE)
    settings = {name: value for name, value in run.config.to_dict().items() if name not in left_out}
    return settings | own_parts(read_versions(run.folder))


def observed(run: Run, arm: str) -> Observation:
    """Return a run as a comparison sees it.

    Raises:
        UserError: It was not probed, or a file of it is damaged.
    """
    probe, metadata, versions = read_probe(run.probe), read_image_metadata(run) or {}, read_versions(run.folder)
    not_last = unfinished(run, probe["step"])
    return Observation(
        arm=arm,
        seed=run.config.seed,
        accuracy=probe["accuracy_last"],
        source=str(run.folder),
        data=(
            versions.get("dataset", metadata.get("name", run.config.dataset)),
            probe["n_test"],
            tuple(probe["class_names"]),
        ),
        test_sha256=metadata.get("test_sha256"),
        settings=settings_of(run),
        versions=versions,
        probe=f"{probe['protocol']} probe of {not_last or 'the last step'}",
        probe_settings=probe.get("settings", {}),  # earlier versions kept none
    )


def observe(runs: Sequence[str | Path] | Mapping[str, Iterable[str | Path]]) -> list[Observation]:
    """Return run folders as a comparison sees them.

    Args:
        runs: Folders, which become arms by their settings, or the folders of each arm by its name.

    Raises:
        UserError: One is no run folder, is damaged, or was not probed.
    """
    if isinstance(runs, Mapping):
        return [observed(open_run(Path(folder)), name) for name, folders in runs.items() for folder in folders]
    opened = [open_run(Path(folder)) for folder in runs]
    names = _names([settings_of(run) for run in opened])
    return [observed(run, name) for run, name in zip(opened, names, strict=True)]


def _names(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name for each run that says in which settings its arm differs from others, such as `head=classical`."""
    keys = dict.fromkeys(name for one in settings for name in one)
    differing = [name for name in keys if len({repr(one.get(name)) for one in settings}) > 1]
    if not differing:
        return [SAME] * len(settings)
    return [", ".join(f"{name}={_word(one.get(name))}" for name in differing) for one in settings]


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
