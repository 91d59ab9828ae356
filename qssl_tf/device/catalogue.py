"""What a head would be on each calibration snapshot: a table in Markdown, a row as soon as it is known."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qssl_tf.compiler.compiled import Compiled
from qssl_tf.compiler.snapshots import calibration_date, snapshot, snapshot_names
from qssl_tf.compiler.working_parts import check_width, left_out
from qssl_tf.device.backends import device
from qssl_tf.device.inputs import Problem
from qssl_tf.device.options import DEFAULT_SHOTS, DeviceOptions
from qssl_tf.device.plan import compiled
from qssl_tf.errors import reason, unknown_name
from qssl_tf.markup import printable
from qssl_tf.training.runs import Run

# Column -> its width, so that rows stand below each other on a terminal though the next is not known yet.
COLUMNS = {
    "snapshot": 19, "qubits": 6, "two-qubit gate": 14, "calibrated": 10, "gates": 5, "success": 7, "plan, s": 7,
    "run, s": 6, "remark": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A snapshot, and the head on it.

    Attributes:
        name: Of the snapshot.
        qubits: That it has.
        basis: Its gates on two qubits.
        calibrated: Its date, as the snapshot says it.
        plan: The compiled head; None where it cannot run.
        plan_seconds: How long compiling and the choice of a layout took.
        run_seconds: About how long simulating all rows would take.
        remark: Why it cannot run, or what is left out.
    """

    name: str
    qubits: int
    basis: tuple[str, ...]
    calibrated: str | None
    plan: Compiled | None = None
    plan_seconds: float = 0.0
    run_seconds: float = 0.0
    remark: str = ""


def chosen_names(words: str) -> list[str]:
    """Return the snapshots that are named, separated by commas; all where none is.

    Raises:
        UserError: There is none of that name; the nearest is given.
    """
    known = snapshot_names()
    names = [word for word in words.split(",") if word] or known
    for name in names:
        if name not in known:
            raise unknown_name("list", name, known)
    return names


def rows(run: Run, task: Problem, options: DeviceOptions, names: Sequence[str]) -> Iterator[Row]:
    """Yield a row for each snapshot, also for those that cannot run the head.

    Args:
        run: The run.
        task: Its head, its images and what calibrates.
        options: Its shots, seed and gates are used.
        names: Of the snapshots.
    """
    for name in names:
        backend = snapshot(name)
        about = name, backend.num_qubits, two_qubit_gates(backend.target), calibration_date(backend)
        width = len(task.spec.qubits)
        if backend.num_qubits < width:
            yield Row(*about, remark=f"fewer than {width} qubits")
            continue
        try:
            check_width(backend, width)
            yield Row(*about, *_planned(run, task, options, name), left_out(backend).removeprefix(f"{name}: "))
        except Exception as error:  # whatever it is, the other snapshots are still to come
            yield Row(*about, remark=reason(error))


def _planned(run: Run, task: Problem, options: DeviceOptions, name: str) -> tuple[Compiled, float, float]:
    """Return the head compiled as a device run would have it, and the seconds of that and of a run.

    The seconds of a run are reckoned from those of its calibration rows, since each row takes as long.
    """
    began = time.perf_counter()
    chosen = device(name, options.gates)
    best = compiled(run, task, chosen, options, report=lambda line: None)
    between = time.perf_counter()
    names, values = best.values([str(symbol) for symbol in task.spec.inputs], task.rows[: task.calibration])
    chosen.simulated([(best.circuit, {tuple(names): values}, options.shots or DEFAULT_SHOTS)], options.seed)
    seconds = (time.perf_counter() - between) * len(task.rows) / task.calibration
    return best, between - began, seconds


def two_qubit_gates(target: Any) -> tuple[str, ...]:
    """Return the names of the gates on two qubits, sorted."""
    tables = {name: target[name] or {} for name in target.operation_names}
    return tuple(sorted(name for name, table in tables.items() if any(len(place or ()) == 2 for place in table)))


def head_lines() -> list[str]:
    """Return the first two lines of the table."""
    return [
        _line([name.ljust(width) for name, width in COLUMNS.items()]),
        _line(["-" * width for width in COLUMNS.values()]),
    ]


def line_of(row: Row) -> str:
    """Return a row of the table."""
    best = row.plan
    found = (
        [f"{best.two_qubit_gates}", f"{best.success:.3f}", f"{row.plan_seconds:.0f}", f"{row.run_seconds:.0f}"]
        if best
        else [""] * 4
    )
    basis, date = ", ".join(row.basis) or "none", (row.calibrated or "")[:10]
    cells = [f"`{row.name}`", str(row.qubits), basis, date, *found, printable(row.remark).replace("|", "\\|")]
    return _line([cell.ljust(width) for cell, width in zip(cells, COLUMNS.values(), strict=True)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
