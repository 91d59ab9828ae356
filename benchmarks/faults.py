"""Real processes killed at random moments: `python benchmarks/faults.py --kills 20` counts what that costs.

A moment is uniform over the time between a command's first line and its end, or with `--calls` right before or after
one of the calls that rename, flush, link, make or remove a file: the microseconds that random times never meet. A
killed command is continued and killed again, until it ends before its moment comes; then its result must be that of one
that was left alone.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded late, so that `--help` need not wait for it
    from victims import Command, Victim

ROOT = Path(__file__).resolve().parents[1]
PRELOAD = Path(__file__).resolve().parent / "preload"
PATIENCE = 300.0  # seconds for a command, on a busy machine
PARTING = 30.0  # seconds in which the other workers must end


@dataclass
class Count:
    """What became of a victim's folders.

    Attributes:
        kills: SIGKILLs that met a process at work.
        finished: Folders whose command came to its end.
        damaged: Sentences about files that a kill left damaged.
        lost: Sentences about commands that could not go on.
        differing: Folders whose result is not that of a command left alone.
        seconds: Between first line and end of the command left alone.
        calls: That rename, flush or link in the command left alone; 0 where the moments are times.
    """

    kills: int = 0
    finished: int = 0
    damaged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    seconds: float = 0.0
    calls: int = 0


def attempt(
    commands: "list[Command]", delay: float | None, rng: random.Random, **preload: str
) -> tuple[bool, float, str]:
    """Run commands together; kill one of them `delay` seconds after the first one's first line.

    Args:
        commands: What to run.
        delay: Seconds; None kills nothing.
        rng: Chooses the one that is killed.
        **preload: Environment of that one for preload/sitecustomize.py: FAULT_COUNT or FAULT_CALL.

    Returns:
        Whether one was killed, the seconds since that line, and what went wrong.
    """
    chosen, hooked = rng.randrange(len(commands)), dict(os.environ, PYTHONPATH=str(PRELOAD), **preload)
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=hooked if preload and number == chosen else None,
        )
        for number, command in enumerate(commands)
    ]  # fmt: skip
    processes[0].stdout.readline()
    began = time.monotonic()
    errors = [""] * len(processes)

    def drain(number: int) -> None:
        errors[number] = processes[number].communicate()[1]

    readers = [threading.Thread(target=drain, args=(number,)) for number in range(len(processes))]
    for reader in readers:
        reader.start()
    target = processes[chosen]
    try:
        processes[0].wait(PATIENCE if delay is None else delay)
    except subprocess.TimeoutExpired:
        target.kill()
    for reader in readers:
        reader.join(PATIENCE if delay is None else PARTING)
    late = [process for process in processes if process.poll() is None]
    for process in late:
        process.kill()
    for reader in readers:
        reader.join()
    # Only its exit says whether the signal met it: it may have come to its end in between.
    killed = (delay is not None or "FAULT_CALL" in preload) and target.returncode == -signal.SIGKILL
    return killed, time.monotonic() - began, _wrong(processes, errors, target if killed else None, len(late))


def _wrong(processes: list, errors: list[str], target: subprocess.Popen | None, late: int) -> str:
    """Return what went wrong in a sentence, or nothing: the killed one aside, all ended as they should."""
    if late:
        return f"{late} processes did not end in time"
    for process, text in zip(processes, errors, strict=True):
        last = (text.strip().splitlines() or [""])[-1]
        if target is None and process.returncode != 0:
            return last or f"exit code {process.returncode}"
        parted = process.returncode == 0 or (process.returncode == 2 and last.startswith("error: worker"))
        if target not in (None, process) and not parted:
            return f"a worker ended with {process.returncode}: {last}"
    return ""


def count_faults(
    victim: "Victim",
    kills: int,
    folder: Path,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
    calls: bool = False,
) -> Count:
    """Kill a victim that many times, in as many folders as it takes.

    Args:
        victim: One of VICTIMS.
        kills: How many times.
        folder: Where its folders are made.
        seed: Of the moments.
        report: Called with a line for each folder.
        calls: Kill at calls that rename, flush or link, not at times.
    """
    rng, count = random.Random(seed), Count()
    alone = folder / "alone"
    victim.prepare(alone)
    _, count.seconds, wrong = attempt(victim.first(alone), None, rng, FAULT_COUNT=str(folder / "calls"))
    if wrong:
        raise RuntimeError(f"left alone it ended with: {wrong}")
    count.calls = int((folder / "calls").read_text()) if calls else 0
    expected = victim.result(alone)
    while count.kills < kills:
        place = folder / f"folder-{count.finished + len(count.lost):03d}"
        victim.prepare(place)
        commands, killed, wrong = victim.first(place), True, ""
        while killed and not wrong:
            delay, preload = _moment(count, rng) if count.kills < kills else (None, {})
            killed, _, wrong = attempt(commands, delay, rng, **preload)
            count.kills += killed
            count.damaged += victim.problems(place)
            commands = victim.again(place)
        if wrong:
            count.lost.append(f"{place.name}: {wrong}")
        else:
            count.finished += 1
            if not victim.same(victim.result(place), expected):
                count.differing.append(place.name)
        report(f"{place.name}: {count.kills} kills, {len(count.damaged)} damaged files, {len(count.lost)} lost")
    return count


def _moment(count: Count, rng: random.Random) -> tuple[float | None, dict[str, str]]:
    """Return when to kill: after some seconds, or at a call, as the preload reads it."""
    if not count.calls:
        return rng.uniform(0, count.seconds), {}
    return None, {"FAULT_CALL": f"{rng.choice(('before', 'after'))} {rng.randint(1, count.calls)}"}


def table(counts: dict[str, Count]) -> str:
    """Return the counts as a Markdown table."""
    lines = [
        "| killed while | kills | folders finished | lost | files damaged | other result |",
        "|---|---|---|---|---|---|",
    ]
    for name, count in counts.items():
        figures = (count.kills, count.finished, len(count.lost), len(count.damaged), len(count.differing))
        lines.append(f"| {name} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def main() -> None:
    """Count and print a table."""
    parser = argparse.ArgumentParser(description="Kill real processes at random moments and count what is lost.")
    parser.add_argument("--kills", type=int, default=20, help="of each kind (default: 20)")
    parser.add_argument("--kinds", help="some of the kinds in victims.py, with commas (default: all)")
    parser.add_argument("--calls", action="store_true", help="kill right before and after renames, flushes and links")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there")
    asked = parser.parse_args()

    from victims import VICTIMS

    kinds = asked.kinds.split(",") if asked.kinds else list(VICTIMS)
    if strange := [name for name in kinds if name not in VICTIMS]:
        parser.error(f"--kinds must be among {', '.join(VICTIMS)}; got '{strange[0]}'.")
    counts = {}
    for name in kinds:
        with tempfile.TemporaryDirectory() as folder:
            counts[name] = count_faults(
                VICTIMS[name],
                asked.kills,
                Path(folder),
                asked.seed,
                lambda line, name=name: print(name, line, flush=True),
                asked.calls,
            )
        if asked.json:
            asked.json.write_text(json.dumps({name: asdict(count) for name, count in counts.items()}, indent=2) + "\n")
    print(table(counts))


if __name__ == "__main__":
    main()
