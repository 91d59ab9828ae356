"""Figures leave the caller's matplotlib alone, and show names and numbers literally."""

import subprocess
import sys

from judges.drawn_words import words

from qssl_tf.plots.style import log_ticks, save_figure, styled, subplots

DRAW = """
import sys
from pathlib import Path
from qssl_tf.plots.style import save_figure, styled, subplots

@styled
def draw(path):
    figure, axes = subplots(1, 2, figsize=(3, 2), sharey=True)
    axes[0].plot([1, 2])
    save_figure(figure, path)

draw(Path("one.png"))
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
print(matplotlib.get_backend(auto_select=False), matplotlib.rcParams["font.size"])
"""


def test_no_backend_is_chosen_and_no_style_stays(tmp_path):
    """A notebook's own figures appear as before, and a program's windows open."""
    process = subprocess.run(
        [sys.executable, "-c", DRAW], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "None 10.0\n"  # 10 points are matplotlib's own
    assert (tmp_path / "one.png").stat().st_size > 1000 and (tmp_path / "one.svg").exists()


def test_a_logarithmic_axis_has_plain_numbers(tmp_path):
    """Formulas are off in this style, for names may hold a `$`; matplotlib's own labels of such axes are formulas."""

    @styled
    def draw():
        figure, axis = subplots(figsize=(3, 2))
        axis.plot([100, 1000, 2_000_000], [0.02, 0.05, 0.09])
        axis.set(xscale="log", yscale="log", title="$x^2$ costs 5 $")
        log_ticks(axis.xaxis)
        log_ticks(axis.yaxis)
        save_figure(figure, tmp_path / "log.png")

    draw()
    texts = words(tmp_path / "log.png")
    assert {"1,000", "100,000", "0.04", "$x^2$ costs 5 $"} <= texts and not any("math" in word for word in texts)
