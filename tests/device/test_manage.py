"""Which of a run's device runs goes on, and how they are listed."""

import os

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qssl_tf.device.ledger import Ledger
from qssl_tf.device.manage import chosen, show_status
from qssl_tf.errors import UserError
from qssl_tf.files.links import point_latest


@pytest.fixture
def planned(tmp_path, settings):
    """A function (name, changes) -> a device run of one job of 4 rows, the newest of those made so far."""

    def of(name, **changes):
        circuit = QuantumCircuit(1)
        circuit.rx(Parameter("x_000"), 0)
        circuit.measure_all()
        values = {"rows": np.zeros((4, 1)), "exact": np.zeros((4, 1))}
        folder = tmp_path / "ibmq" / name
        made = Ledger.create(folder, settings(qubits=1, **changes), [circuit], values, [[0, 1, 2, 3]])
        ages = len(list(folder.parent.glob("*/record.json")))
        os.utime(folder / "record.json", (1000 + ages, 1000 + ages))
        point_latest(folder)
        return made

    return of


def finish(ledger):
    ledger.keep(0, [np.zeros((4, 10, 1), np.uint8)])
    (ledger.folder / "result.json").write_text("{}")


def test_the_newest_unfinished_device_run_goes_on(planned, tmp_path):
    old, middle, newest = planned("old"), planned("middle"), planned("newest")
    folder = tmp_path / "ibmq"
    assert chosen(folder, "").folder == newest.folder
    finish(newest)
    assert chosen(folder, "").folder == middle.folder
    planned("object", backend="own:backend")  # nobody can bring its backend back
    assert chosen(folder, "").folder == middle.folder
    for ledger in (old, middle):
        finish(ledger)
    with pytest.raises(UserError, match="holds no device run that is unfinished and can go on") as refused:
        chosen(folder, "")
    assert "\n" not in str(refused.value)
    assert chosen(folder, "newest").folder == newest.folder  # by its name, also a finished one


def test_the_list_marks_what_was_only_planned(planned, tmp_path, capsys):
    planned("dry")
    planned("submitted").note(0, state="submitted", id="c0ffee")
    finish(planned("done"))
    show_status(tmp_path / "ibmq")
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert lines == [
        "done: 1/1 jobs done; result written",
        "dry: 0/1 jobs done, none begun, as after `dry_run`; `resume='dry'`",
        "submitted: 0/1 jobs done; `resume='submitted'`",
    ]
