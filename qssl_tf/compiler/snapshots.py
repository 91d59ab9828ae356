"""Calibration snapshots of real devices, which come with Qiskit's runtime package, and what identifies one."""

import hashlib
import json
import warnings
from functools import cache
from typing import Any

from qssl_tf.errors import unknown_name


def snapshot_names() -> list[str]:
    """Return the names of the snapshots: `fake_paris` and its like."""
    return sorted(backend.name for backend in _provider().backends())


@cache
def _provider() -> Any:
    from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

    with warnings.catch_warnings():  # some snapshots of other devices announce that their values are made up
        warnings.simplefilter("ignore", UserWarning)
        return FakeProviderForBackendV2()


def snapshot(name: str) -> Any:
    """Return the snapshot called `name`, a Qiskit backend.

    Raises:
        UserError: There is none of that name; the nearest is given.
    """
    from qiskit.providers import QiskitBackendNotFoundError

    try:
        return _provider().backend(name)
    except QiskitBackendNotFoundError:
        raise unknown_name("snapshot", name, snapshot_names()) from None


def calibration_date(backend: Any) -> str | None:
    """Return when a backend was calibrated, as it says itself (ISO 8601); None where it does not."""
    properties = _properties(backend)
    date = getattr(properties, "last_update_date", None)
    return None if date is None else str(getattr(date, "isoformat", lambda: date)())


def calibration_checksum(backend: Any) -> str:
    """Return the SHA-256 of every error, duration and relaxation time of a backend's calibration."""
    target = backend.target
    gates = {
        f"{name} {place}": None if entry is None else [entry.error, entry.duration]
        for name in target.operation_names
        for place, entry in (target[name] or {}).items()
    }
    qubits = [[getattr(qubit, name) for name in ("t1", "t2")] for qubit in target.qubit_properties or []]
    text = json.dumps([target.num_qubits, gates, qubits, readout_flips(backend)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _properties(backend: Any) -> Any:
    """Return the calibration beside a backend's target; None where it has none."""
    return backend.properties() if callable(getattr(backend, "properties", None)) else None


def readout_flips(backend: Any) -> dict[int, tuple[float, float]]:
    """Return the readout errors of each qubit whose calibration has both: a 0 read as 1, and a 1 read as 0."""
    properties = _properties(backend)
    if properties is None:
        return {}
    tables = {qubit: properties.qubit_property(qubit) for qubit in range(backend.num_qubits)}
    return {
        qubit: (table["prob_meas1_prep0"][0], table["prob_meas0_prep1"][0])
        for qubit, table in tables.items()
        if "prob_meas0_prep1" in table and "prob_meas1_prep0" in table
    }
