"""Real processes: how many at once, what they say, and that none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from qssl_tf.studies.costs import Job
from qssl_tf.studies.pool import Refused, Task, run_all


def tasks(*seconds):
    return [Task(Job("run", SimpleNamespace(name=f"job{index}"), 1, (1,)), each) for index, each in enumerate(seconds)]


def python(code):
    return lambda job: ["-c", code]


def test_at_most_so_many_at_once_and_in_order(tmp_path):
    path = tmp_path / "events"
    code = f"import time; f = open({str(path)!r}, 'a', 1); print('+', file=f); time.sleep(0.5); print('-', file=f)"
    made = tasks(*[1.0] * 5)
    began = []
    run_all(
        made,
        2,
        python(code),
        tmp_path,
        changed=lambda task: task and task.state == "running" and began.append(task.name),
    )
    running = highest = 0
    for sign in path.read_text().split():
        running += 1 if sign == "+" else -1
        highest = max(highest, running)
    assert highest == 2 and began == [task.name for task in made]
    assert {task.state for task in made} == {"done"} and all(task.took >= 0.5 for task in made)


def test_what_does_not_fit_the_budget_is_left_out(tmp_path):
    made = tasks(1.0, 1000.0, 2.0)
    run_all(made, 1, python("pass"), tmp_path, budget=60.0)
    assert [task.state for task in made] == ["done", "left out", "done"]


def test_a_failure_is_told_by_its_last_line_and_the_others_go_on(tmp_path):
    made = tasks(1.0, 1.0, 1.0)
    codes = iter(["raise ValueError('no such thing')", "import os; os.kill(os.getpid(), 9)", "pass"])
    run_all(made, 1, lambda job: ["-c", next(codes)], tmp_path)
    assert [task.state for task in made] == ["failed", "failed", "done"]
    assert made[0].message == "ValueError: no such thing"
    assert made[1].message == "its process was killed by signal 9"


def test_a_users_mistake_stops_all(tmp_path):
    made = tasks(1.0, 1.0)
    code = "import sys; print('error: data set is missing.', file=sys.stderr); sys.exit(2)"
    with pytest.raises(Refused, match=r"^error: data set is missing\.$"):
        run_all(made, 1, python(code), tmp_path)
    assert [task.state for task in made] == ["failed", "waiting"]


PARENT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from qssl_tf.studies.costs import Job
from qssl_tf.studies.pool import Task, run_all
child = "import os, sys, threading, time; from qssl_tf.cli.task import _end_with_parent as end;" \
        "threading.Thread(target=end, daemon=True).start(); print(os.getpid(), flush=True); time.sleep(60)"
run_all([Task(Job("run", SimpleNamespace(name="job"), 1, (1,)), 1.0)], 1, lambda job: ["-c", child], Path(sys.argv[1]))
"""


def test_children_end_with_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    log = tmp_path / "job.log"
    wait_for(lambda: log.exists() and log.read_text().strip().isdecimal())
    child = int(log.read_text())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not alive(child))


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_full_disk_is_named_though_the_log_lies_on_it(tmp_path, small_disk):
    """The process cannot write its own last line; what an earlier one said is not taken for it."""
    logs = small_disk(tmp_path / "disk", "64k")
    (logs / "job0.log").write_text("error: --names must be given.\n")
    full = "import sys; f = open(sys.argv[1], 'wb', 0)\ntry:\n    while f.write(bytes(999)): pass\nfinally: sys.exit(2)"
    with pytest.raises(Refused) as caught:
        run_all(tasks(1.0), 1, lambda job: ["-c", full, str(logs / "filling")], logs)
    assert str(caught.value) == (
        f"error: {logs}: No space left on device; make room or permission there and try again."
    )


def test_one_that_says_nothing_is_told_by_its_code(tmp_path):
    (tmp_path / "job0.log").write_text("ValueError: of yesterday\n")
    made = tasks(1.0)
    run_all(made, 1, python("import os; os._exit(7)"), tmp_path)
    assert made[0].message == f"it said nothing and ended with code 7; see {tmp_path / 'job0.log'}"
    assert [path.name for path in tmp_path.iterdir()] == ["job0.log"]


def test_sigterm_to_the_parent_alone_reaches_the_others(tmp_path):
    """They keep their state, and it ends long before they would."""
    code = (
        "import signal, sys, time\nfrom pathlib import Path\n"
        f"def stop(*_): Path({str(tmp_path / 'kept')!r}).touch(); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(60)"
    )

    def changed(task):
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(tasks(1.0), 1, python(code), tmp_path, changed=changed)
    assert (tmp_path / "kept").exists() and time.monotonic() - began < 30
