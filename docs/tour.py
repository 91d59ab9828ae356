"""Run examples/tour.ipynb anew and keep its outputs: `make tour`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from qssl_tf.files.write import write_text

TOUR = Path(__file__).resolve().parents[1] / "examples" / "tour.ipynb"


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in a kernel of its own; its cells get new outputs, or an error of theirs is raised.

    Args:
        notebook: It is changed.
        folder: Where its files go.
    """
    client = NotebookClient(
        notebook, timeout=600, record_timing=False, coalesce_streams=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()


if __name__ == "__main__":
    tour = nbformat.read(TOUR, as_version=4)
    run(tour, TOUR.parent)
    write_text(TOUR, nbformat.writes(tour) + "\n")
