"""The polar angle of each qubit's Bloch vector after angle encoding, before the trained gates."""

from pathlib import Path

import numpy as np

from qssl_tf.plots.style import COLOURS, PAGE, save_figure, styled, subplots

BINS = 24  # from 0 to pi
COLUMNS = 8


@styled
def bloch_angles(path: Path, angles: np.ndarray) -> None:
    """Draw a histogram of the encoding angles of each qubit.

    RX(x) turns the Bloch vector of |0> to (0, -sin x, cos x), so x is its polar angle: 0 is |0>, pi is |1>, pi/2 the
    equator. The area of a wedge is proportional to the number of images. A qubit with a single narrow wedge carries
    no information about the images.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        angles: In radians, in [0, pi], shape (n, qubits).
    """
    width = angles.shape[1]
    columns = min(COLUMNS, width)
    rows = -(-width // columns)
    figure, axes = subplots(
        rows, columns, figsize=(PAGE * columns / COLUMNS, 1.5 * rows + 0.3), squeeze=False,
        subplot_kw={"projection": "polar"},
    )  # fmt: skip
    edges = np.linspace(0, np.pi, BINS + 1)
    for qubit, axis in enumerate(axes.flat):
        if qubit >= width:
            axis.axis("off")
            continue
        counts, _ = np.histogram(angles[:, qubit], edges)
        radii = np.sqrt(counts / max(1, counts.max()))  # the eye compares areas, not radii
        axis.bar(edges[:-1], radii, np.diff(edges), align="edge", color=COLOURS[0], linewidth=0)
        axis.set_theta_zero_location("N")
        axis.set_theta_direction(-1)
        axis.set(thetamin=0, thetamax=180, yticks=[])
        axis.set_title(f"qubit {qubit}", pad=10)
        axis.set_xticks([0, np.pi / 2, np.pi], ["0", "π/2", "π"])
        axis.tick_params(pad=-2)
        axis.grid(False)
    figure.supxlabel("angle of the encoder (radians)", fontsize=8)
    save_figure(figure, path)
