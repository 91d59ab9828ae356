"""The arms of a comparison: their runs, trained and probed where that is left to do, as the comparison sees them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.comparison.comparison import MIN_PAIRS, Comparison, compared, refuse_too_few_pairs
from qssl_tf.comparison.observations import Observation, own_parts
from qssl_tf.config import WHERE, Config, checked
from qssl_tf.errors import UserError, shown, unknown_name
from qssl_tf.files.lock import locked
from qssl_tf.presets import preset
from qssl_tf.studies.arms import arm
from qssl_tf.studies.records import Record, read_record, record_path
from qssl_tf.studies.run import complete_comparison_run
from qssl_tf.studies.storage import Storage, existing_run
from qssl_tf.studies.studies import Condition, RunSpec
from qssl_tf.training.metadata import read_image_metadata
from qssl_tf.training.runs import check_plain_name

TEST_IMAGES = ("dataset", "classes", "image_size")  # settings that decide which images judge a run


def named_arms(names: Sequence[str], base: Config) -> dict[str, Config]:
    """Return the settings of arms of `studies.arms`: `base`, but for what makes the arm.

    Raises:
        UserError: An unknown arm, settings that do not go together, or a base that would make another head of an arm
            than its name says.
    """
    for name in names:
        _refuse_other_head(name, base)
    return {name: replace(base, **arm(name).settings) for name in names}


def _refuse_other_head(name: str, base: Config) -> None:
    """Refuse an arm that would be called `ring` and be another circuit, or none.

    Raises:
        UserError: It names the setting.
    """
    settings = arm(name).settings
    if "encoder" in settings:  # of the user's own, under any head
        return
    paper = preset("paper")
    for setting in ("head", "ansatz"):
        meant = settings.get(setting, getattr(paper, setting))
        found = settings.get(setting, getattr(base, setting))
        if found != meant:
            raise UserError(
                f"the arm {name} has {argument(setting, meant)}, and {argument(setting, found)} would make another of "
                f"it; leave that out (a preset may have it), or give arms with names of your own."
            )
        if setting == "head" and meant != "quantum":
            return


def comparison_specs(arms: Mapping[str, Config], seeds: Sequence[int]) -> list[RunSpec]:
    """Return the runs of a comparison, seed by seed, so that pairs are complete early.

    Raises:
        UserError: Fewer than two seeds, or bad ones; fewer than two arms, a name that no folder can have, or arms that
            are judged on other images or by another probe.
    """
    numbers = [int(seed) for seed in seeds]
    if len(set(numbers)) != len(numbers) or len(numbers) < MIN_PAIRS or min(numbers) < 0:
        raise UserError(
            f"{argument('seeds')} must be at least {MIN_PAIRS} different numbers of at least 0, since one pair has no "
            f"spread; got {shown(numbers)}."
        )
    for number in numbers:
        checked("seed", number)
    if len(arms) < 2:
        raise UserError(f"a comparison must have at least two arms; got {', '.join(arms) or 'none'}.")
    for name in arms:
        check_plain_name(name, "an arm's name")
    _refuse_judged_otherwise(arms)
    conditions = [Condition(name, name, None, replace(config, seed=0), len(numbers)) for name, config in arms.items()]
    return [RunSpec(condition, seed) for seed in numbers for condition in conditions]


def _refuse_judged_otherwise(arms: Mapping[str, Config]) -> None:
    """Refuse arms that could not be compared once they are trained.

    Raises:
        UserError: They are judged on other test images, or by another probe.
    """
    (first, base), *others = arms.items()
    for name, config in others:
        mine, its = config.to_dict(), base.to_dict()
        for setting in (*TEST_IMAGES, *(key for key in mine if key.startswith("probe_"))):
            if mine[setting] != its[setting]:
                raise UserError(
                    f"arms must be judged on the same test images by the same probe; {name} has {setting} "
                    f"{shown(mine[setting])} and {first} {shown(its[setting])}; give both the same."
                )


def compare_trained(
    specs: Sequence[RunSpec],
    storage: Storage,
    baseline: str | None,
    margin: float,
    batch: int | None = None,
    train: Callable[[Sequence[RunSpec], Storage, int | None], None] | None = None,
) -> Comparison:
    """Train and probe what is left of some runs, and compare them.

    Args:
        specs: The runs.
        storage: Where runs and records are kept; images are where the settings of each run say.
        baseline: The arm that others are compared with; None takes the first.
        margin: Percentage points below which a difference counts as none.
        batch: Training batches after which runs are probed; None takes the last.
        train: Trains and probes what is left of runs; None is `train_here`.

    Raises:
        UserError: As `compare.compare` says.
        KeyboardInterrupt: Ctrl-C; what was done is kept.
    """
    names = list(dict.fromkeys(spec.condition.name for spec in specs))
    if baseline is not None and baseline not in names:
        raise unknown_name("baseline", baseline, names)
    usable, omissions = usable_runs(specs, storage)
    left = {name: [spec.seed for spec in usable if spec.condition.name == name] for name in names}
    refuse_too_few_pairs(left, baseline or names[0], omissions)  # before anything is trained
    storage.folder.mkdir(parents=True, exist_ok=True)
    (train or train_here)(usable, storage, batch)
    observations, waiting = [], []
    for spec in usable:
        record = read_record(storage.results, spec)
        if record is None or record.unprobed([_probed(record, batch)], spec.config.probe_protocol):
            waiting.append(spec)
        else:
            observations.append(_observed(spec, storage, record, batch))
    if waiting:
        _refuse_too_few(observations, usable, baseline or names[0])
    omissions += [
        f"{one.condition.name} seed {one.seed} is left out: it is not trained and probed yet." for one in waiting
    ]
    return compared(observations, baseline or names[0], margin, omissions)


def _refuse_too_few(finished: Sequence[Observation], wanted: Sequence[RunSpec], baseline: str) -> None:
    """Refuse to compare before any arm has enough pairs.

    Raises:
        UserError: It says how many runs of each arm are finished.
    """
    names = list(dict.fromkeys(spec.condition.name for spec in wanted))
    seeds = {name: {one.seed for one in finished if one.arm == name} for name in names}
    base = seeds.get(baseline, set())
    if max((len(base & seeds[name]) for name in names if name != baseline), default=0) >= MIN_PAIRS:
        return
    counts = [sum(spec.condition.name == name for spec in wanted) for name in names]
    done = ", ".join(f"{len(seeds[name])} of {count} of {name}" for name, count in zip(names, counts, strict=True))
    raise UserError(
        f"too few runs are finished to compare them: {done}, of which two arms must share {MIN_PAIRS} seeds; the same "
        "command goes on with the rest."
    )


def train_here(specs: Sequence[RunSpec], storage: Storage, batch: int | None) -> None:
    """Train and probe what is left of runs in this process, one after the other."""
    for number, spec in enumerate(specs, start=1):
        with _on_its_own(storage.folder / spec.name):
            record = complete_comparison_run(spec, replace(storage, data_dir=spec.config.data_dir), batch)
        accuracy = record.accuracy(_probed(record, batch), spec.config.probe_protocol)
        print(f"{spec.condition.name} seed {spec.seed}: {accuracy:.2f} %, {number} of {len(specs)}", flush=True)


@contextmanager
def _on_its_own(folder: Path) -> Iterator[None]:
    """Hold a run's folder, and leave nothing of its model behind in this process."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # each run has a model of its own, whose functions TensorFlow takes for one
    try:
        with locked(folder):
            yield
    finally:
        keras.utils.clear_session()
        logger.setLevel(level)


def usable_runs(specs: Sequence[RunSpec], storage: Storage) -> tuple[list[RunSpec], list[str]]:
    """Return the runs whose records and folders are theirs; print and return a sentence about each of the others."""
    usable, sentences = [], []
    for spec in specs:
        try:
            if read_record(storage.results, spec) is None:
                existing_run(spec, storage.folder)
            usable.append(spec)
        except UserError as error:
            sentences.append(f"{spec.condition.name} seed {spec.seed} is left out: {error}")
            print(sentences[-1], flush=True)
    return usable, sentences


def _probed(record: Record, batch: int | None) -> int:
    """Return after how many batches a run is probed; 0 stands for the untrained network."""
    return record.steps if batch is None else batch


def _observed(spec: RunSpec, storage: Storage, record: Record, batch: int | None) -> Observation:
    """Return a recorded run as a comparison sees it."""
    protocol, folder = spec.config.probe_protocol, storage.folder / spec.name
    probed = _probed(record, batch)
    accuracy = record.accuracy(probed, protocol)
    if accuracy is None:  # a record is returned once it has that probe
        raise RuntimeError(f"{folder} has no {protocol} probe of batch {probed}.")
    run = existing_run(spec, storage.folder)
    metadata = (read_image_metadata(run) if run else None) or {}
    left_out = ("seed", *WHERE)
    settings = {name: value for name, value in spec.config.to_dict().items() if name not in left_out}
    return Observation(
        arm=spec.condition.name,
        seed=spec.seed,
        accuracy=accuracy,
        source=str(record_path(storage.results, spec)),
        data=(record.versions.get("dataset", spec.config.dataset), record.test_images, tuple(record.class_names)),
        test_sha256=metadata.get("test_sha256"),
        settings=settings | own_parts(record.versions),
        versions=record.versions,
        probe=f"{protocol} probe of {'the last step' if batch is None else f'batch {batch}'}",
    )
