"""Drawings of Qiskit circuits, in the style of all figures."""

from pathlib import Path
from typing import Any

from qssl_tf.plots.style import save_figure, styled

GATES_PER_LINE = 24
SCALE = 0.5  # of Qiskit's default size, so that a line fits the page


@styled
def draw_gates(path: Path, circuit: Any, idle_wires: bool = False) -> None:
    """Draw a circuit, its first qubit on top.

    Args:
        path: The PNG file; an SVG of the same name is written beside it.
        circuit: A Qiskit circuit, translated or compiled.
        idle_wires: Draw qubits without gates as well; a compiled circuit has many.
    """
    from matplotlib import pyplot  # Qiskit's drawer uses it too

    with pyplot.rc_context({"text.parse_math": True}):  # its labels of qubits and angles are formulas
        figure = circuit.draw("mpl", fold=GATES_PER_LINE, idle_wires=idle_wires, scale=SCALE)
        try:
            save_figure(figure, path)
        finally:
            pyplot.close(figure)
