"""Probing the checkpoints of a run, and the files a probe writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.evaluation.probe import FittedProbe, ProbeResult, check_split, probe_steps
from qssl_tf.evaluation.probe_files import keep_earlier, save_classifier
from qssl_tf.evaluation.scores import score
from qssl_tf.files.checksums import refuse_listed
from qssl_tf.files.lock import locked
from qssl_tf.files.write import replacing, write_json
from qssl_tf.plots.run import accuracy_curve, confusion
from qssl_tf.training.checkpoints import load_weights
from qssl_tf.training.fit import build_for_use
from qssl_tf.training.metadata import check_simulator, unfinished
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import Run

# The fields of each entry of `checkpoints` in `probe.json`.
CHECKPOINT_FIELDS = ("step", "accuracy_last", "accuracy_best_epoch", "balanced_accuracy", "seconds")


def check_open_to_probes(run: Run) -> None:
    """Refuse a shared run whose checksums cover its probe, before anything is written into its folder.

    Raises:
        UserError: Its checksums list a probe, which a new one would replace.
    """
    figures = [run.figure(name).with_suffix(kind) for name in ("confusion", "accuracy") for kind in (".png", ".svg")]
    refuse_listed(run.folder, [run.probe, run.probe.with_suffix(".npz"), *figures], "probe")


def probe_checkpoints(
    run: Run,
    settings: Config,
    steps: Sequence[int],
    report: Callable[[str], None] = lambda line: None,
    split: str = "test",
    data: ImageData | None = None,
) -> list[FittedProbe]:
    """Probe the checkpoints of a run.

    Args:
        run: The run.
        settings: The run's settings; their `probe_*` values, and where the images lie, may differ.
        steps: Checkpoint steps.
        report: Called with one line per checkpoint, once all are probed.
        split: `test`, or `validation` for model selection.
        data: The run's images; None loads what its settings name.
    """
    check_open_to_probes(run)
    check_simulator(run)
    data = data or images_of_run(run, places=settings.places())
    model = build_for_use(settings, data, run.checkpoint(steps[-1]))
    results = probe_steps(model, lambda step: load_weights(run, model, step), data, settings, steps, split)
    for result, _ in results:
        step = result.step
        name = "untrained network" if step == 0 else f"step {step}"
        report(
            f"{name}: {result.accuracy_last:.2f} % on {result.n_test} {split} images after the last epoch "
            f"(balanced {result.balanced_accuracy:.2f} %, largest class {result.majority_share:.2f} %; "
            f"best epoch {result.accuracy_best_epoch:.2f} %, chosen on {split} data), "
            f"{result.features} features, {result.seconds:.0f} s"
        )
    return results


@dataclass(frozen=True)
class ProbeOutputs:
    """What probing some checkpoints of a run produced.

    Attributes:
        newest: The result of the newest checkpoint.
        path: The JSON file with the results.
        figures: The figures.
    """

    newest: ProbeResult
    path: Path
    figures: list[Path]


def probe_run(
    run: Run,
    settings: Config,
    steps: Sequence[int],
    split: str = "test",
    data: ImageData | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> ProbeOutputs:
    """Probe the checkpoints of a run, then write and draw the results; the run may go on training meanwhile.

    Args:
        run: The run.
        settings: Its settings; their `probe_*` values may differ.
        steps: Checkpoint steps.
        split: `test`, or `validation` for model selection.
        data: The run's images; None loads what its settings name.
        report: Called with each line of progress.

    Raises:
        UserError: The folder's checksums list a probe, the images have no labels or are not the run's, or another
            process is probing it.
    """
    check_split(split, settings)
    check_open_to_probes(run)
    with locked(run.probe):
        report(f"{run.folder}: {settings.probe_protocol} probe of step {', '.join(map(str, steps))}")
        if note := unfinished(run, steps[-1]):
            report(f"note: {note}")
        results = probe_checkpoints(run, settings, steps, report, split, data)
        if kept := write_probes(run, results, keeps_earlier=True):
            report(f"the earlier result is kept as {kept}")
        newest = max((result for result, _ in results), key=lambda result: result.step)
        return ProbeOutputs(newest, result_path(run, newest), draw_probes(run, results))


def write_probes(run: Run, results: Sequence[FittedProbe], keeps_earlier: bool = False) -> Path | None:
    """Write `probe.json` (the newest step's result, and a short entry for each step) and `probe.npz` (its classifier).

    A probe scored on validation images goes to `probe-validation.json`, which nothing else reads.

    Args:
        run: The run.
        results: Of its checkpoints.
        keeps_earlier: Whether another result that has the name is kept as `probe-1.json`, and so on.

    Returns:
        Where an earlier result is kept; None if there was none, or the same.
    """
    newest, fit = max(results, key=lambda pair: pair[0].step)
    path = result_path(run, newest)
    entries = [
        {key: getattr(result, key) for key in CHECKPOINT_FIELDS}
        for result, _ in sorted(results, key=lambda pair: pair[0].step)
    ]
    values = newest.to_dict() | {"checkpoints": entries, "classifier_sha256": fit.fingerprint()}
    kept = keep_earlier(path, values) if keeps_earlier else None
    with replacing(path.with_suffix(".npz")) as temporary:
        save_classifier(temporary, fit, newest.step)
        write_json(path, values)  # before the classifier takes its name: a full disk leaves both as they were
    return kept


def result_path(run: Run, result: ProbeResult) -> Path:
    """Return the file that a probe's result goes to."""
    return run.probe if result.split == "test" else run.probe.with_name(f"probe-{result.split}.json")


def draw_probes(run: Run, results: Sequence[FittedProbe]) -> list[Path]:
    """Draw the newest step's confusion matrix and, given three checkpoints or more, accuracy against step."""
    newest = max((result for result, _ in results), key=lambda result: result.step)
    suffix = "" if newest.split == "test" else f"-{newest.split}"
    paths = [run.figure(f"confusion{suffix}")]
    scores = score(newest.confusion)
    title = (
        f"step {newest.step}: {newest.accuracy_last:.1f} % of {newest.n_test} {newest.split} images\n{scores.beside}"
    )
    confusion(paths[0], np.array(newest.confusion), newest.class_names, title)
    if len(results) > 2:
        ordered = sorted((result for result, _ in results), key=lambda result: result.step)
        paths.append(run.figure(f"accuracy{suffix}"))
        accuracy_curve(
            paths[1],
            [result.step for result in ordered],
            [result.accuracy_last for result in ordered],
            [result.accuracy_best_epoch for result in ordered],
            majority=scores.majority,
            split=newest.split,
        )
    return paths
