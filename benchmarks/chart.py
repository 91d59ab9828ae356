"""The picture of the benchmarks: what a head costs against qubits, batch and shots."""

from pathlib import Path

from qssl_tf.plots.style import BLUE, ORANGE, PAGE, log_ticks, save_figure, styled, subplots

# Beginning of `what`, the field that varies, its label.
PANELS = (
    ("width:", "qubits", "qubits"),
    ("batch:", "batch", "rows in the batch (8 qubits)"),
    ("shots:", "shots", "shots (8 qubits, batch 32)"),
)
# Field of the seconds, name, colour and mark.
LINES = (("peer_s", "TensorFlow Quantum", ORANGE, "s"), ("ours_s", "qssl_tf", BLUE, "o"))


@styled
def draw_cost(path: Path, results: list[dict]) -> None:
    """Draw milliseconds a row against each field; both axes logarithmic, qubits aside."""
    figure, axes = subplots(1, len(PANELS), figsize=(PAGE, 2.5))
    for axis, (beginning, field, label) in zip(axes, PANELS, strict=True):
        points = [result for result in results if result["what"].startswith(beginning)]
        if beginning == "shots:":
            points = [result for result in points if result["batch"] == 32]
        points.sort(key=lambda result: result[field])
        places = [result[field] for result in points]
        for seconds, name, colour, mark in LINES:
            cost = [1000 * result[seconds] / result["batch"] for result in points]
            axis.plot(places, cost, color=colour, marker=mark, label=name)
        axis.set(xlabel=label, yscale="log", xscale="linear" if field == "qubits" else "log")
        for scale in (axis.yaxis,) if field == "qubits" else (axis.xaxis, axis.yaxis):
            log_ticks(scale)
        axis.grid()
    axes[0].set_ylabel("forward + backward, ms a row")
    axes[0].legend()
    save_figure(figure, path)
