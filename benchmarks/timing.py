"""Timing rivals side by side: in turn, in one process, each timed call after an untimed one of its own."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version

ROUNDS = 7
OWN = ("qssl-tf", "tensorflow", "tensorflow-quantum", "keras")  # packages of this process


def medians(rivals: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median seconds of each rival.

    The untimed call is there since a rival's memory and threads are cold after another has run: TensorFlow Quantum
    leaves 20 ms of that to whoever comes next, which neither would meet in a training run.

    Args:
        rivals: Name -> call; each must wait for its own result.
        rounds: How often each is timed.
    """
    for call in rivals.values():
        call()  # compiles
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            call()
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(measured) for name, measured in seconds.items()}


def machine() -> dict[str, object]:
    """Return what the figures depend on: processor, cores, and the load of the last minute."""
    model = "unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return {"processor": model, "cores": os.cpu_count(), "load_1_min": round(os.getloadavg()[0], 2)}


def compared(
    what: str,
    qubits: int,
    batch: int,
    shots: int | None,
    seconds: Mapping[str, float],
    versions: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return one result: the first of `seconds` is ours, the second the peer's; a ratio above 1 says ours is faster.

    Args:
        what: What was timed.
        qubits: Of the circuit.
        batch: Rows.
        shots: None for exact expectations.
        seconds: Median of each.
        versions: Of the packages of a peer that runs in an environment of its own; None of one that runs in ours.
    """
    (_, ours), (peer, theirs) = seconds.items()
    return {
        "what": what,
        "qubits": qubits,
        "batch": batch,
        "shots": shots,
        "ours_s": ours,
        "peer": peer,
        "peer_s": theirs,
        "ratio": theirs / ours,
        "versions": {name: version(name) for name in OWN} | dict(versions or {}),
    }
