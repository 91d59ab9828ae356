"""Real processes: how many at once, what they say, and that none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from qssl_tf.studies.jobs import Job
from qssl_tf.studies.pool import Task, TaskRefused, run_all


def tasks(*seconds):
    return [Task(Job("run", SimpleNamespace(name=f"job{index}"), 1, (1,)), each) for index, each in enumerate(seconds)]


def python(code):
    return lambda job: ["-c", code]


def test_tasks_run_in_order_and_at_most_so_many_at_once(tmp_path):
    path = tmp_path / "events"
    code = f"import time; f = open({str(path)!r}, 'a', 1); print('+', file=f); time.sleep(0.5); print('-', file=f)"
    all_tasks = tasks(*[1.0] * 5)
    started = []
    run_all(
        all_tasks,
        2,
        python(code),
        tmp_path,
        on_change=lambda task: task and task.state == "running" and started.append(task.name),
    )
    running = highest = 0
    for sign in path.read_text().split():
        running += 1 if sign == "+" else -1
        highest = max(highest, running)
    assert highest == 2 and started == [task.name for task in all_tasks]
    assert {task.state for task in all_tasks} == {"done"} and all(task.seconds >= 0.5 for task in all_tasks)


def test_tasks_over_the_budget_are_left_out(tmp_path):
    all_tasks = tasks(1.0, 1000.0, 2.0)
    run_all(all_tasks, 1, python("pass"), tmp_path, budget=60.0)
    assert [task.state for task in all_tasks] == ["done", "left out", "done"]


def test_a_failure_keeps_its_last_line_and_the_others_go_on(tmp_path):
    all_tasks = tasks(1.0, 1.0, 1.0)
    codes = iter(["raise ValueError('no such thing')", "import os; os.kill(os.getpid(), 9)", "pass"])
    run_all(all_tasks, 1, lambda job: ["-c", next(codes)], tmp_path)
    assert [task.state for task in all_tasks] == ["failed", "failed", "done"]
    assert all_tasks[0].message == "ValueError: no such thing"
    assert all_tasks[1].message == "its process was killed by signal 9"


def test_a_users_error_stops_all(tmp_path):
    all_tasks = tasks(1.0, 1.0)
    code = "import sys; print('error: data set is missing.', file=sys.stderr); sys.exit(2)"
    with pytest.raises(TaskRefused, match=r"^error: data set is missing\.$"):
        run_all(all_tasks, 1, python(code), tmp_path)
    assert [task.state for task in all_tasks] == ["failed", "waiting"]


PARENT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from qssl_tf.studies.jobs import Job
from qssl_tf.studies.pool import Task, run_all
child = "import os, sys, threading, time; from qssl_tf.cli.task import end_with_parent as end;" \
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
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_full_disk_is_reported_although_the_log_lies_on_it(tmp_path, small_disk):
    """The process cannot write its own last line; what an earlier one said is not taken for it."""
    logs = small_disk(tmp_path / "disk", "64k")
    (logs / "job0.log").write_text("error: --names must be given.\n")
    full = "import sys; f = open(sys.argv[1], 'wb', 0)\ntry:\n    while f.write(bytes(999)): pass\nfinally: sys.exit(2)"
    with pytest.raises(TaskRefused) as caught:
        run_all(tasks(1.0), 1, lambda job: ["-c", full, str(logs / "filling")], logs)
    assert str(caught.value) == (
        f"error: {logs}: No space left on device; make room or permission there and try again."
    )


def test_a_silent_failure_is_reported_by_its_exit_code(tmp_path):
    (tmp_path / "job0.log").write_text("ValueError: of yesterday\n")
    all_tasks = tasks(1.0)
    run_all(all_tasks, 1, python("import os; os._exit(7)"), tmp_path)
    assert all_tasks[0].message == f"it said nothing and ended with code 7; see {tmp_path / 'job0.log'}"
    assert [path.name for path in tmp_path.iterdir()] == ["job0.log"]


def test_sigterm_to_the_parent_alone_reaches_the_others(tmp_path):
    """They keep their state, and it ends long before they would."""
    code = (
        "import signal, sys, time\nfrom pathlib import Path\n"
        f"def stop(*_): Path({str(tmp_path / 'saved')!r}).touch(); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"Path({str(tmp_path / 'started')!r}).touch(); time.sleep(60)"
    )

    def on_change(task):
        if (tmp_path / "started").exists():
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(tasks(1.0), 1, python(code), tmp_path, on_change=on_change)
    assert (tmp_path / "saved").exists() and time.monotonic() - start < 30
