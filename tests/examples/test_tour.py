"""The notebook: what it keeps is what it does when it is run anew, as it stands, in a kernel of its own."""

import base64
import io
import re
import runpy
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

TOUR = Path(__file__).resolve().parents[2] / "examples" / "tour.ipynb"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """What a cell shows: text, results and their formats, without the values."""
    return {(output.output_type, output.get("name"), *sorted(output.get("data", ()))) for output in cell.outputs}


def said(notebook):
    """All text that the cells print, without progress bars."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(TOUR, as_version=4)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, kept):
    """The notebook, run as a whole in an empty folder."""
    folder = tmp_path_factory.mktemp("tour")
    notebook = nbformat.from_dict(kept)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    with pytest.MonkeyPatch.context() as words:
        words.setenv("IPYTHONDIR", str(folder / "ipython"))
        runpy.run_path(str(TOUR.parents[1] / "docs" / "tour.py"))["run"](notebook, folder)
    return notebook


def test_it_was_kept_whole_and_in_order(kept):
    nbformat.validate(kept)
    assert [cell.execution_count for cell in code_cells(kept)] == list(range(1, len(code_cells(kept)) + 1))
    text = TOUR.read_text()
    assert [place for place in (str(TOUR.parents[1]), "/home/", "/tmp/") if place in text] == []


def test_it_shows_the_same_kinds_of_things_each_time(kept, fresh):
    assert [cell.source for cell in code_cells(kept)] == [cell.source for cell in code_cells(fresh)]
    assert list(map(kinds, code_cells(kept))) == list(map(kinds, code_cells(fresh)))
    assert "WARNING" not in said(fresh) and "WARNING" not in said(kept)


@pytest.mark.parametrize("which", ["kept", "fresh"])
def test_each_figure_shows_something(which, request):
    cells = code_cells(request.getfixturevalue(which))
    pictures = [
        output.data["image/png"] for cell in cells for output in cell.outputs if "image/png" in output.get("data", ())
    ]
    assert len(pictures) == 7
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
        assert min(pixels.shape) > 200 and len(np.unique(pixels)) > 2


@pytest.mark.parametrize("which", ["kept", "fresh"])
def test_what_it_finds_fits_what_it_says(which, request):
    text = said(request.getfixturevalue(which))

    def number(pattern):
        return float(re.search(pattern, text)[1])

    assert number(r"all embeddings equal: ([\d.]+)") == number(r"log\(2N - 1\): +([\d.]+)")
    head, cosines = (np.array(row.split(), float) for row in re.findall(r"(?:head: |cos x:) \[(.*)\]", text))
    np.testing.assert_allclose(head, cosines, atol=2e-4)
    assert number(r"untrained: ([\d.]+) %") + 40 < number(r"trained:   ([\d.]+) %") == number(r"exact:  ([\d.]+) %")
    assert number(r"device: ([\d.]+) %") > number(r"exact:  ([\d.]+) %") - 10
    raw, mitigated = map(float, re.search(r"expectation: ([\d.]+) measured, ([\d.]+) mitigated", text).groups())
    assert mitigated < raw
