"""What a device run's `record.json` must be, checked when it is read: it may have been edited or come from others."""

from typing import Any

from qssl_tf.errors import shown
from qssl_tf.hardware.asked import CALIBRATION_ROWS
from qssl_tf.hardware.mitigation import MITIGATIONS

MAX_SHOTS = 10_000_000  # as many as a job of IBM Quantum may run

NUMBERS, TEXTS = (int, float), (str,)
# Key -> what it is: a kind, or a list of one.
KINDS: dict[str, Any] = {
    "backend": TEXTS,
    "shots": (int,),
    "mitigation": TEXTS,
    "seed": (int,),
    "step": (int,),
    "two_qubit_gates": (int,),
    "depth": (int,),
    "layout": [int],  # on which each qubit of the head is read
    "estimated_success": NUMBERS,
    "contrast": [*NUMBERS],
    "class_names": [str],
    "seconds": NUMBERS,
    "parameters": [str],
    "checksum": TEXTS,
    "jobs": [dict],
}
# The same of keys that older records lack.
LATER: dict[str, Any] = {"calibration": (int,), "initial_layout": [int]}


def check_record(record: Any) -> None:
    """Refuse what cannot be the record of a device run.

    Raises:
        ValueError: It names the key, and what stands there.
    """
    if not isinstance(record, dict):
        raise ValueError(f"it is {shown(record)}")
    for key, kind in KINDS.items():
        if key not in record or not _is(record[key], kind):
            raise ValueError(f"its {key} is {shown(record.get(key))}")
    for key, kind in LATER.items():
        if key in record and not _is(record[key], kind):
            raise ValueError(f"its {key} is {shown(record[key])}")
    if not 1 <= record.get("calibration", 1) <= CALIBRATION_ROWS:
        raise ValueError(f"its calibration is {shown(record['calibration'])}")
    if not 1 <= record["shots"] <= MAX_SHOTS or not 0 <= record["seed"] <= 2**63:
        raise ValueError(f"its shots and seed are {shown(record['shots'])} and {shown(record['seed'])}")
    if record["mitigation"] not in MITIGATIONS or len(record["contrast"]) != len(record["layout"]):
        raise ValueError(f"its mitigation is {shown(record['mitigation'])}, its contrast {shown(record['contrast'])}")
    for number, job in enumerate(record["jobs"]):
        whole = _is(job.get("rows"), [int]) and _is(job.get("tag"), TEXTS) and _is(job.get("state"), TEXTS)
        whole = whole and _is(job.get("id"), (str, type(None))) and _is(job.get("shots", 1), (int,))
        if not whole or not 1 <= job.get("shots", 1) <= MAX_SHOTS:
            raise ValueError(f"its job {number} is {shown(job)}")


def check_rows(record: dict[str, Any], count: int) -> None:
    """Refuse jobs whose rows are not among the `count` rows that are kept.

    Raises:
        ValueError: It names the job.
    """
    for number, job in enumerate(record["jobs"]):
        if not all(0 <= row < count for row in job["rows"]):
            raise ValueError(f"its job {number} has rows outside of 0 to {count - 1}")


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, list):
        return isinstance(value, list) and all(_is(entry, tuple(kind)) for entry in value)
    return isinstance(value, kind) and not isinstance(value, bool)
