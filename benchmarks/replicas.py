"""Training shared by processes on this machine against one process: `python benchmarks/replicas.py`.

The same global batch each: one process on all cores, or two workers on half of them each. They are run in turn, whole
processes as a user starts them; a figure is the median over rounds of the median step of a run.
"""

import argparse
import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from timing import machine

ROOT = Path(__file__).resolve().parents[1]
SETTLED = 5  # steps before the first that counts
# Way -> processes, and whose rows batch norm normalises together.
WAYS = {
    "one process": (1, "global"),
    "two workers": (2, "global"),
    "two workers, local statistics": (2, "local"),
}
STEPS = {"digits": 150, "best": 30, "paper": 12}


def addresses(count: int) -> list[str]:
    """Return addresses of this machine whose ports are free."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in held]
    for each in held:
        each.close()
    return found


def started(words: list[str], cores: list[int]) -> subprocess.Popen:
    """Start a script of the project on some of the cores."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def steps_of(preset: str, workers: int, folder: Path, more: list[str]) -> list[float]:
    """Train for a few steps and return the seconds of each after the first ones.

    Args:
        preset: What is trained.
        workers: Processes; each gets its part of the cores.
        folder: Where the run is made.
        more: Further flags.
    """
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // workers
    flags = ["--preset", preset, "--steps", str(STEPS[preset]), "--checkpoint-every", "1000000", "--name", "run"]
    flags += ["--runs-dir", str(folder), *more]
    places: list[list[str]] = [[]]
    if workers > 1:
        common = ["--strategy", "multi_worker", "--workers", ",".join(addresses(workers)), "--worker-number"]
        places = [[*common, str(number)] for number in range(workers)]
    processes = [
        started(["trainers/pretrain.py", *flags, *place], cores[number * share : (number + 1) * share])
        for number, place in enumerate(places)
    ]
    for process in processes:
        _, errors = process.communicate()
        if process.returncode:
            raise RuntimeError(errors)
    with open(folder / "run" / "history.csv", newline="") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)][SETTLED:-1]


def throughputs(preset: str, rounds: int, more: list[str]) -> dict[str, Any]:
    """Return median steps of one process, and of two workers with either batch statistics, run in turn."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, (workers, statistics_of) in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                flags = ["--batch-statistics", statistics_of, *more]
                seconds[way].append(statistics.median(steps_of(preset, workers, Path(folder), flags)))
                print(f"{preset}, {way}: {1000 * seconds[way][-1]:.1f} ms a step", flush=True)
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    ratios = {way: medians["one process"] / found for way, found in medians.items() if way != "one process"}
    return {"preset": preset, "step_s": medians, "ratios": ratios, "rounds": seconds, "load": os.getloadavg()[2]}


def main() -> None:
    """Measure and write what came out."""
    parser = argparse.ArgumentParser(description="Time workers on this machine against one process.")
    parser.add_argument("--presets", default="digits,paper", help="what is trained (default: digits,paper)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is run (default: 7)")
    parser.add_argument("--flags", default="", help="further flags of pretrain.py, such as '--batch-size 1024'")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    asked = parser.parse_args()
    found = [throughputs(preset, asked.rounds, asked.flags.split()) for preset in asked.presets.split(",")]
    for row in found:
        for way, ratio in row["ratios"].items():
            print(f"{row['preset']}: {way} have {ratio:.2f} times the throughput of one process")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "throughput": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
