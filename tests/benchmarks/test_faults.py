"""Real processes killed at random moments, as `python benchmarks/faults.py` does it.

One kill of each kind keeps the suite short; `FAULT_KILLS=20 make test-long` makes it as many as in docs/faults.md.
"""

import dataclasses
import json
import os
import random
import sys

import pytest
from faults import attempt, count_faults, table
from victims import VICTIMS

KILLS = int(os.environ.get("FAULT_KILLS", "1"))  # of each kind


# A killed worker has tests of its own in tests/trainers/test_pretrain_workers.py.
KINDS = [kind for kind in VICTIMS if kind != "one of two workers" or "FAULT_KILLS" in os.environ]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_damaged_or_different(kind, tmp_path):
    count = count_faults(VICTIMS[kind], KILLS, tmp_path, seed=7)
    assert count.kills == KILLS and count.finished >= 1
    assert (count.damaged, count.lost, count.differing) == ([], [], [])
    assert f"| {kind} | {KILLS} | {count.finished} | 0 | 0 | 0 |" in table({kind: count})


KEEPING = """
import sys
from pathlib import Path
from qssl_tf.files.write import making, sweep, write_json
from qssl_tf.files.latest import point_newest
folder = Path(sys.argv[1])
print("begun", flush=True)
if not (folder / "run").exists():
    with making(folder / "run") as begun:
        write_json(begun / "config.json", {"step": 0})
sweep(folder / "run")
point_newest(folder / "run")
write_json(folder / "run" / "config.json", {"step": 1})
"""


def test_kills_right_before_and_after_every_rename_flush_and_link(tmp_path):
    """What keeps all folders and files of the package, at every one of its points; no other process runs then."""

    def problems(folder):
        for path in (folder / "run", folder / "latest"):
            if path.exists() and json.loads((path / "config.json").read_text())["step"] not in (0, 1):
                yield f"{path} is damaged."

    def result(folder):
        left = [path.name for path in folder.rglob(".*") if "unfinished" not in path.name]
        return os.readlink(folder / "latest"), (folder / "run" / "config.json").read_text(), left

    command = lambda folder: [[sys.executable, "-c", KEEPING, str(folder)]]  # noqa: E731
    victim = dataclasses.replace(VICTIMS["pretraining"], first=command, again=command, result=result, problems=problems)
    rng = random.Random(0)
    (tmp_path / "alone").mkdir()
    assert attempt(command(tmp_path / "alone"), None, rng, FAULT_COUNT=str(tmp_path / "calls"))[2] == ""
    calls = int((tmp_path / "calls").read_text())
    assert calls >= 7  # mkdir, fsync, replace, rename; symlink, replace; fsync, replace
    point = tmp_path / "point"
    point.mkdir()
    killed, _, wrong = attempt(
        command(point), None, rng, FAULT_CALL="after 2"
    )  # the first says that its parent is there
    assert (killed, wrong) == (True, "") and [path.name[9:] for path in point.iterdir()] == ["-unfinished"]
    count = count_faults(victim, 6, tmp_path / "folders", seed=3, calls=True)
    assert count.kills == 6 and count.calls == calls
    assert (count.damaged, count.lost, count.differing) == ([], [], [])


def test_damage_loss_and_other_results_are_counted(tmp_path):
    """A victim that loses what it should not: it fails on its second start, and leaves other results."""
    pretend = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(0.3)"]
    fails = [sys.executable, "-c", "import sys; print('begun', flush=True); sys.exit('error: it is gone.')"]
    results = iter(range(100))
    victim = dataclasses.replace(
        VICTIMS["pretraining"],
        first=lambda folder: [pretend],
        again=lambda folder: [fails],
        result=lambda folder: next(results),
        problems=lambda folder: iter(["one.h5 is damaged."]),
    )
    count = count_faults(victim, 3, tmp_path, seed=1)
    assert count.kills == 3 and len(count.lost) == 3 and "error: it is gone." in count.lost[0]
    assert len(count.damaged) >= 3 and len(count.differing) == count.finished
