"""docs/reference/snapshots.md: every snapshot that the installed provider has, and what the head is on some of them."""

import pytest
from blocks import DOCS
from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

from qssl_tf.device import catalogue
from qssl_tf.device.inputs import problem
from qssl_tf.device.options import DeviceOptions
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.training.runs import open_run

PAGE = (DOCS / "reference" / "snapshots.md").read_text(encoding="utf-8")
HEAD = "| snapshot "


def rows():
    """Return the cells of each row of the page's last table, by the snapshot's name."""
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE[PAGE.index(HEAD) :].splitlines()]
    return {cells[0].strip("`"): cells for cells in table[2:]}


@pytest.mark.filterwarnings("ignore:Properties of fake_nighthawk")  # its errors are made up, as the page says
def test_the_page_has_every_snapshot_and_no_other():
    backends = {backend.name: backend for backend in FakeProviderForBackendV2().backends()}
    assert sorted(rows()) == sorted(backends)
    for name, cells in rows().items():
        assert cells[1] == str(backends[name].num_qubits), name
        assert all(cells[4:8]) or cells[8], f"{name}: no figures, and no reason"


@pytest.mark.parametrize("name", ["fake_guadalupe", "fake_paris", "fake_torino"])
def test_the_page_says_what_is_compiled_today(name):
    run = open_run(WEIGHTS / "digits-ring")
    task = problem(run, "last", None, 0)
    (row,) = catalogue.rows(run, task, DeviceOptions(), [name])
    cells = [cell.strip() for cell in catalogue.line_of(row).strip("|").split("|")]
    assert cells[:6] == rows()[name][:6], "run `make snapshots`"
