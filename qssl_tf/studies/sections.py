"""SECTIONS: the sections of a study's report; each returns its lines of Markdown, none if it does not apply."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qssl_tf.durations import duration
from qssl_tf.errors import shell
from qssl_tf.evaluation.published import published_confusion, published_states, source
from qssl_tf.markup import code, plain
from qssl_tf.plugins import plugin_flags
from qssl_tf.studies import figures, figures_states, noise_report, tables
from qssl_tf.studies.comparisons import agreement, compare_with_baseline
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import Study, study


@dataclass(frozen=True)
class ReportData:
    """What a report is written from.

    Attributes:
        name: Key of STUDIES.
        records: The finished runs.
        device: The device's result; None if there is none.
        folder: Folder of the report.
        readings: The readings on noisy devices, of the runs that have any.
    """

    name: str
    records: Sequence[Record]
    device: Mapping[str, Any] | None
    folder: Path
    readings: noise_report.Readings = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """The study."""
        return study(self.name)

    @property
    def command(self) -> str:
        """The command that writes this report again, whichever entry point wrote it."""
        study_name = [] if self.name == "paper" else [self.name]
        return shell("qssl", "reproduce", *study_name, *plugin_flags())

    def path(self, stem: str, suffix: str) -> Path:
        """Return the path of a file of the report; those of the study `paper` have no suffix."""
        return self.folder / f"{stem}{'' if self.name == 'paper' else f'-{self.name}'}.{suffix}"


def _figure(path: Path, about: str) -> list[str]:
    return ["", f"![{about}](figures/{path.name})"]


def _figure_path(data: ReportData, stem: str) -> Path:
    return data.path(f"figures/{stem}", "png")


def _against_the_paper(data: ReportData) -> list[str]:
    if data.name != "paper":
        return []
    lines: list[str] = []
    for protocol, intro in (("paper", "The paper's probe, 100 epochs, augmented anew for each"),
                            ("cached", "The cached probe, one augmented pass for all epochs")):  # fmt: skip
        table = tables.published_table(data.records, data.study, protocol)
        lines += ["", f"{intro}; after batch {data.study.table_batch}:", "", *table] if table else []
    path = _figure_path(data, "accuracy")
    if figures.draw_accuracy(path, data.records, data.study):
        lines += _figure(path, "Accuracy against training batches, beside the published runs")
    if lines:
        lines += [
            "",
            f"Published: {source()}. Intervals are Student's; of the published runs only means and deviations enter.",
        ]
    return lines[1:]


def _arms(data: ReportData) -> list[str]:
    if data.study.axis or data.name == "states":
        return []
    table, last = data.study.table_batch, data.study.batches[-1]
    intros = {table: f"After batch {table}, cached probe, last epoch; intervals are Student's:"}
    intros.setdefault(last, f"After the last batch ({last}):")
    lines: list[str] = []
    for batch, intro in intros.items():
        rows = tables.arms_table(data.records, data.study, batch)
        lines += ["", intro, "", *rows] if rows else []
    path = _figure_path(data, "arms")
    if figures.draw_arms(path, data.records, data.study):
        lines += _figure(path, "All arms, each seed, mean and 95 % interval")
    return lines[1:]


def _seed_by_seed(data: ReportData) -> list[str]:
    if data.study.axis or data.name == "states":
        return []
    lines: list[str] = []
    for batch in dict.fromkeys((data.study.table_batch, data.study.batches[-1])):
        conditions = [condition.name for condition in data.study.conditions]
        comparisons = compare_with_baseline(data.records, _baseline_condition(data.study), conditions, batch)
        table = tables.comparison_table(comparisons)
        if table:
            lines += ["", f"After batch {batch}, last epoch:", "", *table]
        lines += ["", *(f"- {sentence}" for sentence in comparisons.omissions)] if comparisons.omissions else []
    if lines:
        lines = [
            "",
            "Runs of equal seed share initial encoder, data order and views. The detectable difference is the one that "
            "the t test finds in 80 of 100 such experiments: most smaller ones it misses.",
            *lines,
        ]
    return lines[1:]


def _baseline_condition(study: Study) -> str:
    return next(condition.name for condition in study.conditions if condition.series == study.baseline)


def _two_protocols(data: ReportData) -> list[str]:
    both = agreement(data.records, data.study.table_batch)
    if both is None:
        return []
    return [
        f"On {both.n} runs after batch {data.study.table_batch} the paper's protocol gives {both.last:+.2f} points "
        f"more than the cached one after the last epoch (at most {both.largest:.2f} apart), and {both.best:+.2f} at "
        "the best epoch."
    ]


def _sweep(data: ReportData) -> list[str]:
    if data.study.axis:
        lines = [f"Cached probe, last epoch, after batch {data.study.table_batch}; mean ± deviation (seeds):", ""]
        lines += tables.curve_table(data.records, data.study)
        path = _figure_path(data, "curve")
        return lines + (_figure(path, data.study.about) if figures.draw_sweep(path, data.records, data.study) else [])
    if data.name == "epochs":
        lines = [
            "Cached probe, last epoch; 97 batches are an epoch:",
            "",
            *tables.batches_table(data.records, data.study),
        ]
        path = _figure_path(data, "curve")
        return lines + (_figure(path, data.study.about) if figures.draw_epochs(path, data.records, data.study) else [])
    return []


def _losses(data: ReportData) -> list[str]:
    if data.name == "states":
        return []  # drawn with the states
    path = _figure_path(data, "loss")
    return (
        _figure(path, "Loss against training batches")[1:]
        if figures.draw_losses(path, data.records, data.study)
        else []
    )


def _states(data: ReportData) -> list[str]:
    if data.name != "states":
        return []
    path = _figure_path(data, "geometry")
    figures_states.draw_states(path, data.records, published_states())
    return [
        "Each point is a mean over the pairs of a batch: the paper's of the batch at hand, ours of the run's first "
        "batch with its own batch statistics. A pair's state is the even mixture of its two views, that of all others "
        "the mixture of the other images' views. The published run is one; its seed is not known.",
        "",
        f"Ours (mean of {len(data.records)}) / published:",
        "",
        *tables.states_table(data.records, published_states()),
        *_figure(path, "Loss, overlap, Hilbert-Schmidt distance and purities, beside the published run"),
    ]


def _device(data: ReportData) -> list[str]:
    device = data.device
    if device is None or data.name != "paper":
        return []
    path = _figure_path(data, "device")
    figures_states.draw_device(path, device)
    low, high = device["accuracy_interval"]
    theirs = f"ring on ibmq_paris {_published_accuracy('ring')} and classical {_published_accuracy('classical')}"
    return [
        f"{code(device['run'])} on {device['images']} unseen images, {device['shots']:,} shots each, "
        f"{device['two_qubit_gates']} two-qubit gates, {plain(device['mitigation'])} mitigation: "
        f"{device['accuracy']:.1f} % on the snapshot {code(device['backend'])} (95 %: {low:.1f} to {high:.1f}), "
        f"{device['accuracy_exact']:.1f} % "
        f"exactly; rms error of an expectation {device['rms_error_raw']:.3f}, mitigated "
        f"{device['rms_error']:.3f}. Published: {theirs}.",
        *_figure(path, "Confusion matrices: exact, snapshot, published device"),
    ]


def _published_accuracy(arm: str) -> str:
    counts, _ = published_confusion(arm)
    correct, total = sum(row[index] for index, row in enumerate(counts)), sum(map(sum, counts))
    return f"{correct} of {total} ({100 * correct / total:.1f} %)"


def _on_noisy_devices(data: ReportData) -> list[str]:
    readings = data.readings
    if not readings:
        return []
    shots = next(iter(readings.values()))["shots"]
    lines = [
        "The weights after the last batch, on devices whose noise is simulated exactly, each expectation from "
        f"{shots:,} shots. A drift keeps the layout and changes the errors; with qubits exchanged, each qubit and each "
        "coupler has the numbers of another one. Mitigation is a line for each observable through 50 training images.",
    ]
    for accuracy, heading in noise_report.KINDS.items():
        lines += ["", f"Accuracy (%), {heading}:", "", *noise_report.accuracy_table(readings, accuracy)]
    baseline = data.study.baseline
    for series in dict.fromkeys(spec.condition.series for spec in readings):
        rows = noise_report.difference_table(readings, baseline, series) if series != baseline else []
        intro = f"{series} minus {baseline}, points, seed by seed, with Student's 95 % interval:"
        lines += ["", intro, "", *rows] if rows else []
    intro = "Root mean square error of an expectation against the one without noise, as measured / mitigated:"
    lines += ["", intro, "", *noise_report.error_table(readings), "", noise_report.layout_sentence(readings)]
    path = _figure_path(data, "devices")
    noise_report.draw_devices(path, readings)
    return [*lines, *_figure(path, "Accuracy on each device, each seed and the means")]


def _costs(data: ReportData) -> list[str]:
    seconds = sum(record.train_seconds + sum(probe.seconds for probe in record.probes) for record in data.records)
    return [
        f"Training and probes took {duration(seconds)}, counted one after the other. "
        "Medians. Circuits are those that a device would be asked for in training, those of the gradient included; an "
        "exact gradient (adjoint) is a simulator's and takes none.",
        "",
        *tables.cost_table(data.records, data.study),
    ]


def _versions(data: ReportData) -> list[str]:
    return tables.versions_table(data.records)


SECTIONS: dict[str, Callable[[ReportData], list[str]]] = {
    "Beside the published figures": _against_the_paper,
    "All arms": _arms,
    "Seed by seed": _seed_by_seed,
    "What varies": _sweep,
    "The states": _states,
    "Two protocols": _two_protocols,
    "Loss": _losses,
    "On the device's snapshot": _device,
    "On noisy devices": _on_noisy_devices,
    "Costs": _costs,
    "Versions": _versions,
}
