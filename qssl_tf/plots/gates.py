"""Drawings of Qiskit's circuits, in the style of all figures."""

from pathlib import Path
from typing import Any

from qssl_tf.plots.style import save_figure, styled

FOLD = 24  # gates in a line
SCALE = 0.5  # of Qiskit's size, so that a line fits a page


@styled
def draw_gates(path: Path, circuit: Any, idle_wires: bool = False) -> None:
    """Draw a circuit; its first qubit is the uppermost line.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        circuit: A circuit of Qiskit, as translated or compiled.
        idle_wires: Whether qubits without gates are drawn, of which a compiled circuit has many.
    """
    from matplotlib import pyplot  # as Qiskit's drawer does

    with pyplot.rc_context({"text.parse_math": True}):  # its names of qubits and angles are formulas
        figure = circuit.draw("mpl", fold=FOLD, idle_wires=idle_wires, scale=SCALE)
        try:
            save_figure(figure, path)
        finally:
            pyplot.close(figure)
