"""Evaluating a trained run: its judges asked one after the other, what they say kept in the run folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.errors import UserError
from qssl_tf.evaluation.evaluation_files import HEADS, aligned, read_evaluation, rows, write_evaluation
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.evaluators import EVALUATORS, chosen
from qssl_tf.evaluation.features import fingerprint
from qssl_tf.evaluation.head import HEAD
from qssl_tf.evaluation.probe import check_split
from qssl_tf.evaluation.readings import Reading, Readings
from qssl_tf.evaluation.subject import Subject, opened_model
from qssl_tf.files.checksums import refuse_listed
from qssl_tf.files.lock import locked
from qssl_tf.plots.comparison import draw_comparison
from qssl_tf.training.metadata import unfinished
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import Run

MINUS = f"{HEAD} minus "


@dataclass(frozen=True)
class Evaluation:
    """What judges said of a run.

    Attributes:
        readings: Judge -> name -> reading, in the order of EVALUATORS.
        left_out: Judge that was not named but tried -> why it cannot judge this run.
        path: The file that keeps it.
        figures: The figures that were drawn.
    """

    readings: dict[str, dict[str, Reading]]
    path: Path
    left_out: dict[str, str] = field(default_factory=dict)
    figures: list[Path] = field(default_factory=list)

    def table(self) -> str:
        """Return one aligned table of all readings."""
        return aligned(HEADS, rows(self.readings))


def evaluate_run(
    run: Run,
    config: Config,
    step: int,
    judges: Sequence[str] | None = None,
    options: EvaluationOptions | None = None,
    split: str = "test",
    data: ImageData | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Ask judges about a run, and keep what they say as `evaluation.json` and `evaluation.csv` in its folder.

    The files keep the newest word of each judge; they are written after each, so that a stopped evaluation keeps what
    was done. Names of files tell another split or earlier weights. The run itself, and the probe in its folder, stay as
    they are.

    Args:
        run: The run.
        config: Its settings; their `probe_*` values may differ.
        step: The checkpoint's step.
        judges: Keys of EVALUATORS, or `all`; None takes the quick ones, leaving out those that cannot judge the run.
        options: How they judge.
        split: Key of `probe.SPLITS`: the images that judge.
        data: The run's images; None loads what its settings name.
        report: Called with each line of progress.

    Raises:
        UserError: A judge that was named cannot judge this run, none can, the folder's checksums list an evaluation, or
            another process is evaluating it.
    """
    options = options or EvaluationOptions()
    names, suffix = chosen(judges, options), _suffix(run, step, split)
    check_split(split, config)
    path, figure = run.folder / f"evaluation{suffix}.json", run.figure(f"head{suffix}")
    refuse_listed(run.folder, [path, path.with_suffix(".csv"), figure, figure.with_suffix(".svg")], "evaluation")
    with locked(path):
        kept = read_evaluation(path)
        data = data or images_of_run(run, places=config.places())
        report(f"{run.folder}: step {step}, {split} images, {config.probe_protocol} probes")
        if note := unfinished(run, step):
            report(f"note: {note}")
        subject = Subject(run, config, step, opened_model(run, config, data, step), data, split, options)
        before = fingerprint(subject.model)
        found = _asked(subject, names, judges is None, kept, path, report)
        if fingerprint(subject.model) != before:
            raise RuntimeError("encoder or head changed during the evaluation; they must stay frozen.")
        if HEAD in found.readings:
            draw_head(figure, found.readings[HEAD])
            found.figures.append(figure)
    return found


def _suffix(run: Run, step: int, split: str) -> str:
    """Return what stands in the names of files of another split than `test`, or of weights before the last."""
    of_split = "" if split == "test" else f"-{split}"
    return of_split if step == run.checkpoint_steps()[-1] else f"{of_split}-step-{step:06d}"


def _asked(
    subject: Subject, names: Sequence[str], lenient: bool, kept: dict, path: Path, report: Callable[[str], None]
) -> Evaluation:
    """Ask judges in turn; what one cannot judge is refused before any works, or left out where none was named."""
    found = Evaluation({}, path)
    begun: dict[str, Readings] = {}

    def refused(name: str, error: UserError) -> None:
        if not (lenient and EVALUATORS[name].quick):
            raise error
        found.left_out[name] = str(error)

    for name in names:
        try:
            begun[name] = EVALUATORS[name].load()(subject)
        except UserError as error:
            refused(name, error)
    for name, readings in begun.items():
        report(f"{name}: {EVALUATORS[name].about}")  # ahead of it, since some take minutes
        start = time.perf_counter()
        try:
            found.readings[name] = dict(readings)
        except UserError as error:
            refused(name, error)
            continue
        seconds = round(time.perf_counter() - start, 2)
        report(f"{name}: done in {seconds:.0f} s")
        kept[name] = {
            "step": subject.step,
            "split": subject.split,
            "protocol": subject.config.probe_protocol,
            "seconds": seconds,
            "readings": [{"name": key} | one.to_dict() for key, one in found.readings[name].items()],
        }
        write_evaluation(path, {key: kept[key] for key in (*EVALUATORS, *kept) if key in kept})
    if not found.readings:
        raise UserError(next(iter(found.left_out.values())))
    return found


def draw_head(path: Path, readings: dict[str, Reading]) -> None:
    """Draw what the head adds: accuracies on the left, paired differences on the right."""
    values = {name: one for name, one in readings.items() if not name.startswith(MINUS)}
    differences = {
        name.removeprefix(MINUS): readings[f"{MINUS}{name.removeprefix(MINUS)}"]
        for name in readings
        if name.startswith(MINUS)
    }
    majority = next(iter(values.values())).majority
    draw_comparison(
        path,
        {name: (one.value, one.low, one.high) for name, one in values.items()},
        {name: (one.value, one.low, one.high) for name, one in differences.items()},
        reference=HEAD,
        majority=majority or 0.0,
        over=next(iter(differences.values())).over,
    )
