"""Seconds, memory and gates of whole device runs, and compiled circuits beside Qiskit's level 3.

Each command is a process of its own, alone and with BUSY others beside it.
"""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from qiskit.transpiler import generate_preset_pass_manager

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.compiled import estimated_success
from qssl_tf.compiler.fractional import WithFractionalGates, can_be_fractional
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import translated
from qssl_tf.compiler.working_parts import usable
from qssl_tf.quantum.spec import circuit_spec

DEVICES = ("fake_paris", "fake_marrakesh", "fake_nighthawk")
HEXAGONS = ("fake_marrakesh", "fake_torino", "fake_sherbrooke", "fake_paris")  # heavy-hexagon lattices
SEEDS, BUSY = 100, 3


def command(run: Path, device: str, shots: int) -> dict:
    """Return what one device run took and found."""
    words = [sys.executable, "-m", "qssl_tf", "device", str(run), "--backend", device, "--shots", str(shots)]
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            said.seek(0)
            raise SystemExit(said.read().decode())
    result = json.loads((run / "ibmq" / "latest" / "result.json").read_text(encoding="utf-8"))
    kept = (
        "images",
        "two_qubit_gates",
        "estimated_success",
        "accuracy",
        "accuracy_exact",
        "rms_error",
        "rms_error_raw",
    )
    figures = {name: result[name] for name in kept}
    return {"device": device, "shots": shots, "seconds": seconds, "gigabytes": usage.ru_maxrss / 2**20} | figures


def spin() -> None:
    """Keep a core busy."""
    while True:
        sum(range(10_000))


def commands(run: Path, shots: int, rounds: int, busy: int) -> list[dict]:
    """Return the median of several commands on each device, in turn, beside `busy` processes that do nothing else."""
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in range(busy)]
    for other in others:
        other.start()
    found = [[command(run, device, shots) for device in DEVICES] for _ in range(rounds)]
    for other in others:
        other.terminate()
    return [
        one[0] | {"beside": busy, "seconds": statistics.median(entry["seconds"] for entry in one), "rounds": rounds}
        for one in zip(*found, strict=True)
    ]


def ring():
    """Return the paper's ring on 8 qubits with drawn weights."""
    spec = circuit_spec(8, "ring", 2)
    return translated(spec, np.random.default_rng(0).uniform(-np.pi, np.pi, len(spec.weights)))


def against_level_3(name: str) -> dict:
    """Return gates and success of the ring on a device, and the best of SEEDS seeds of Qiskit's level 3."""
    backend, circuit = snapshot(name), ring()
    began = time.perf_counter()
    ours = compile_head(circuit, backend)
    seconds = time.perf_counter() - began
    figures: dict = {}
    if can_be_fractional(backend):
        fractional = compile_head(circuit, WithFractionalGates(backend), gates="fractional")
        figures = {
            "gates_fractional": fractional[0].two_qubit_gates,
            "fewest_gates_fractional": min(one.two_qubit_gates for one in fractional),
            "success_fractional": fractional[0].success,
        }
    target = usable(backend)
    circuit.measure_all()
    plain = [
        generate_preset_pass_manager(optimization_level=3, target=target, seed_transpiler=seed).run(circuit)
        for seed in range(SEEDS)
    ]
    gates = [sum(len(i.qubits) == 2 for i in one.data if i.operation.name != "barrier") for one in plain]
    return {
        "device": name,
        "seconds": seconds,
        "gates": ours[0].two_qubit_gates,
        "fewest_gates": min(one.two_qubit_gates for one in ours),
        "success": ours[0].success,
        "level_3_fewest_gates": min(gates),
        "level_3_success": max(estimated_success(one, target) for one in plain),
    } | figures


def measured(run: Path, rounds: int) -> dict[str, list[dict]]:
    """Return all figures; commands are run `rounds` times."""
    return {
        "compiled": [against_level_3(name) for name in (*HEXAGONS, "fake_nighthawk")],
        "commands": [*commands(run, 1024, rounds, 0), *commands(run, 8192, 1, 0), *commands(run, 1024, 1, BUSY)],
    }
