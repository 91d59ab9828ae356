"""Figures leave everybody else's matplotlib alone."""

import subprocess
import sys

DRAW = """
import sys
from pathlib import Path
from qssl_tf.plotting import save_figure, styled, subplots

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
    done = subprocess.run(
        [sys.executable, "-c", DRAW], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "None 10.0\n"  # 10 points are matplotlib's own
    assert (tmp_path / "one.png").stat().st_size > 1000 and (tmp_path / "one.svg").exists()
