"""Real processes killed at random moments, as `python benchmarks/faults.py` does it.

One kill of each kind keeps the suite short; `FAULT_KILLS=20 make test-long` makes it as many as in docs/faults.md.
"""

import os

import pytest
from faults import count_faults, table
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


def test_damage_loss_and_other_results_are_counted(tmp_path):
    """A victim that loses what it should not: it fails on its second start, and leaves other results."""
    import dataclasses
    import sys

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
