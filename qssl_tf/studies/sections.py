"""SECTIONS: the parts of a report; each returns its lines of Markdown, none where it has nothing to say."""

from collections.abc import Callable
from pathlib import Path

from qssl_tf.evaluation.published import published_confusion, published_states, source
from qssl_tf.markup import code, plain
from qssl_tf.studies import figures as drawing
from qssl_tf.studies import figures_states as drawing_states
from qssl_tf.studies import tables
from qssl_tf.studies.comparisons import agreement, compared
from qssl_tf.studies.costs import duration
from qssl_tf.studies.findings import Findings
from qssl_tf.studies.studies import Study


def _figure(path: Path, about: str) -> list[str]:
    return ["", f"![{about}](figures/{path.name})"]


def _drawn(found: Findings, stem: str) -> Path:
    return found.path(f"figures/{stem}", "png")


def _against_the_paper(found: Findings) -> list[str]:
    if found.name != "paper":
        return []
    lines: list[str] = []
    for protocol, words in (("paper", "The paper's probe, 100 epochs, augmented anew for each"),
                            ("cached", "The cached probe, one augmented pass for all epochs")):  # fmt: skip
        table = tables.published_table(found.records, found.study, protocol)
        lines += ["", f"{words}; after batch {found.study.table}:", "", *table] if table else []
    path = _drawn(found, "accuracy")
    if drawing.draw_accuracy(path, found.records, found.study):
        lines += _figure(path, "Accuracy against training batches, beside the published runs")
    if lines:
        lines += [
            "",
            f"Published: {source()}. Intervals are Student's; of the published runs only means and deviations enter.",
        ]
    return lines[1:]


def _arms(found: Findings) -> list[str]:
    if found.study.axis or found.name == "states":
        return []
    table, last = found.study.table, found.study.batches[-1]
    after = {table: f"After batch {table}, cached probe, last epoch; intervals are Student's:"}
    after.setdefault(last, f"After the last batch ({last}):")
    lines: list[str] = []
    for batch, words in after.items():
        rows = tables.arms_table(found.records, found.study, batch)
        lines += ["", words, "", *rows] if rows else []
    path = _drawn(found, "arms")
    if drawing.draw_arms(path, found.records, found.study):
        lines += _figure(path, "All arms, each seed, mean and 95 % interval")
    return lines[1:]


def _seed_by_seed(found: Findings) -> list[str]:
    if found.study.axis or found.name == "states":
        return []
    lines: list[str] = []
    for batch in dict.fromkeys((found.study.table, found.study.batches[-1])):
        cells = [cell.name for cell in found.study.cells]
        judged = compared(found.records, _cell_of(found.study), cells, batch)
        table = tables.comparison_table(judged)
        if table:
            lines += ["", f"After batch {batch}, last epoch:", "", *table]
        lines += ["", *(f"- {sentence}" for sentence in judged.left_out)] if judged.left_out else []
    if lines:
        lines = [
            "",
            "Runs of equal seed share initial encoder, data order and views. The detectable difference is the one that "
            "the t test finds in 80 of 100 such experiments: most smaller ones it misses.",
            *lines,
        ]
    return lines[1:]


def _cell_of(study: Study) -> str:
    return next(cell.name for cell in study.cells if cell.series == study.baseline)


def _two_protocols(found: Findings) -> list[str]:
    both = agreement(found.records, found.study.table)
    if both is None:
        return []
    return [
        f"On {both.n} runs after batch {found.study.table} the paper's protocol gives {both.last:+.2f} points more "
        f"than the cached one after the last epoch (at most {both.largest:.2f} apart), and {both.best:+.2f} at the "
        "best epoch."
    ]


def _varied(found: Findings) -> list[str]:
    if found.study.axis:
        lines = [f"Cached probe, last epoch, after batch {found.study.table}; mean ± deviation (seeds):", ""]
        lines += tables.curve_table(found.records, found.study)
        path = _drawn(found, "curve")
        return lines + (
            _figure(path, found.study.about) if drawing.draw_varied(path, found.records, found.study) else []
        )
    if found.name == "epochs":
        lines = [
            "Cached probe, last epoch; 97 batches are an epoch:",
            "",
            *tables.batches_table(found.records, found.study),
        ]
        path = _drawn(found, "curve")
        return lines + (
            _figure(path, found.study.about) if drawing.draw_epochs(path, found.records, found.study) else []
        )
    return []


def _losses(found: Findings) -> list[str]:
    if found.name == "states":
        return []  # it stands beside the states
    path = _drawn(found, "loss")
    return (
        _figure(path, "Loss against training batches")[1:]
        if drawing.draw_losses(path, found.records, found.study)
        else []
    )


def _states(found: Findings) -> list[str]:
    if found.name != "states":
        return []
    path = _drawn(found, "geometry")
    drawing_states.draw_states(path, found.records, published_states())
    return [
        "Each point is a mean over the pairs of a batch: the paper's of the batch at hand, ours of the run's first "
        "batch with its own batch statistics. A pair's state is the even mixture of its two views, that of all others "
        "the mixture of the other images' views. The published run is one; its seed is not known.",
        "",
        f"Ours (mean of {len(found.records)}) / published:",
        "",
        *tables.states_table(found.records, published_states()),
        *_figure(path, "Loss, overlap, Hilbert-Schmidt distance and purities, beside the published run"),
    ]


def _device(found: Findings) -> list[str]:
    device = found.device
    if device is None or found.name != "paper":
        return []
    path = _drawn(found, "device")
    drawing_states.draw_device(path, device)
    low, high = device["accuracy_interval"]
    theirs = [f"{words} {_right(arm)}" for arm, words in (("ring", "ring on ibmq_paris"), ("classical", "classical"))]
    return [
        f"{code(device['run'])} on {device['images']} unseen images, {device['shots']:,} shots each, "
        f"{device['two_qubit_gates']} two-qubit gates, {plain(device['mitigation'])} mitigation: "
        f"{device['accuracy']:.1f} % on the snapshot {code(device['backend'])} (95 %: {low:.1f} to {high:.1f}), "
        f"{device['accuracy_exact']:.1f} % "
        f"exactly; rms error of an expectation {device['rms_error_raw']:.3f}, mitigated "
        f"{device['rms_error']:.3f}. Published: {' and '.join(theirs)}.",
        *_figure(path, "Confusion matrices: exact, snapshot, published device"),
    ]


def _right(arm: str) -> str:
    counts, _ = published_confusion(arm)
    right, total = sum(row[place] for place, row in enumerate(counts)), sum(map(sum, counts))
    return f"{right} of {total} ({100 * right / total:.1f} %)"


def _costs(found: Findings) -> list[str]:
    seconds = sum(record.train_seconds + sum(probe.seconds for probe in record.probes) for record in found.records)
    return [
        f"Training and probes took {duration(seconds)}, counted one after the other. "
        "Medians. Circuits are those that a device would be asked for in training, those of the gradient included; an "
        "exact gradient (adjoint) is a simulator's and takes none.",
        "",
        *tables.cost_table(found.records, found.study),
    ]


def _versions(found: Findings) -> list[str]:
    return tables.versions_table(found.records)


SECTIONS: dict[str, Callable[[Findings], list[str]]] = {
    "Beside the published figures": _against_the_paper,
    "All arms": _arms,
    "Seed by seed": _seed_by_seed,
    "What varies": _varied,
    "The states": _states,
    "Two protocols": _two_protocols,
    "Loss": _losses,
    "On the device's snapshot": _device,
    "Costs": _costs,
    "Versions": _versions,
}
