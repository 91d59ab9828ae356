"""Training on several devices and processes as a user starts it, beside the same training in one process.

The learning rate is one at which rounding does not grow much: at the preset's own, a single process whose circuit is
run by the other simulator parts from itself as far as several processes do from one.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from judges.rounding import judge, saved_arrays
from strangers import COUNT, Ports, until_listening

from qssl_tf.config import Config

ROOT = Path(__file__).resolve().parents[2]
RUN = ["--steps", "20", "--batch-size", "64", "--learning-rate", "2e-5", "--checkpoint-every", "5"]


def start(folder, name, *flags, **environment):
    command = [sys.executable, "trainers/pretrain.py", "--runs-dir", folder, "--name", name, *RUN, *flags]
    return popen(command, **environment)


def popen(command, **environment):
    return subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes, seconds=300):
    answers = [process.communicate(timeout=seconds) for process in processes]
    return [process.returncode for process in processes], [out for out, _ in answers], [err for _, err in answers]


def workers(ports):
    return ["--strategy", "multi_worker", "--workers", ",".join(f"127.0.0.1:{port}" for port in ports)]


def losses(run):
    with open(run / "history.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def assert_same_training(run, alone):
    """Losses of all steps, and weights with the statistics of batch norms, which are those of the global batch."""
    alone.agrees(saved_arrays(run / "checkpoints" / "step-000020.weights.h5"), losses(run))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def alone(here, runs):
    """One process: a training by `fit`, and the same by command, which it must agree with."""
    done = here("trainers/pretrain.py", "--runs-dir", runs, "--name", "alone", *RUN)
    assert done.returncode == 0, done.stderr
    judged = judge(Config(steps=20, batch_size=64, learning_rate=2e-5), runs)
    assert_same_training(runs / "alone", judged)
    return judged


def test_two_devices(alone, runs, script):
    run = runs / "mirrored"
    flags = ["--strategy", "mirrored", "--replicas", "2", "--simulator", "tfq"]
    done = script("trainers/pretrain.py", "--runs-dir", run.parent, "--name", run.name, *RUN, *flags)
    assert done.returncode == 0, done.stderr
    assert "of digits, shared by 2 replicas" in done.stdout
    assert_same_training(run, alone)


def test_four_processes_and_strangers_at_their_ports(alone, runs, free_ports):
    """They come to every port, while workers meet and while TensorFlow has it."""
    run, ports = runs / "four", free_ports(4)
    flags = [*workers(ports), "--wait", 300]
    processes = [start(run.parent, run.name, *flags, "--worker-number", number) for number in (3, 1, 0)]
    for port in ports[:2]:
        until_listening(port, processes[0])
        Ports(port, answers=port == ports[0]).come(COUNT // 2, seed=port)
    processes.append(start(run.parent, run.name, *flags, "--worker-number", 2))
    while not (run / "history.csv").exists():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    for port in ports:
        Ports(port, answers=False).come(COUNT // 2, seed=port)
    codes, outputs, errors = ended(processes)
    assert codes == [0] * 4, errors
    assert ["shared by 4 replicas" in output for output in outputs] == [False, False, True, False]  # the chief speaks
    assert_same_training(run, alone)
    assert not [path for path in run.rglob(".*") if path.is_file()]


def test_a_killed_worker_ends_both_and_others_go_on(alone, runs, free_ports, script):
    """Two processes with `TF_CONFIG`; one is killed, and two devices of one process take the run up."""
    run = runs / "killed"
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for number in (0, 1):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        processes.append(start(run.parent, run.name, "--strategy", "multi_worker", TF_CONFIG=json.dumps(task)))
    while not (run / "history.csv").exists() or len(losses(run)) < 7:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGKILL)
    began = time.monotonic()
    codes, _, errors = ended(processes, seconds=60)
    assert time.monotonic() - began < 20
    assert codes == [2, -signal.SIGKILL]
    assert errors[0].splitlines()[-1] == (
        f"error: worker 1 ({addresses[1]}) ended before training did; continue on all workers with --resume {run}"
    )
    assert len(losses(run)) < 20
    done = script("trainers/pretrain.py", "--resume", run, "--strategy", "mirrored", "--replicas", "2")
    assert done.returncode == 0, done.stderr
    assert_same_training(run, alone)


def test_a_signal_stops_both_and_one_goes_on(alone, runs, free_ports, here):
    run, flags = runs / "stopped", workers(free_ports(2))
    processes = [start(run.parent, run.name, *flags, "--worker-number", number) for number in (0, 1)]
    while not (run / "history.csv").exists() or len(losses(run)) < 7:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGTERM)
    codes, outputs, errors = ended(processes, seconds=60)
    assert codes == [130, 130], errors
    assert f"stopped by SIGTERM; continue with: python trainers/pretrain.py --resume {run}" in outputs[0]
    assert errors[1] == f"stopped: the chief got SIGTERM; continue on all workers with --resume {run}\n"
    done = here("trainers/pretrain.py", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert_same_training(run, alone)


def test_two_processes_share_a_run(here, tmp_path, free_ports):
    """A few steps, of which the first begins with equal weights; the tests above hold all of a training to one."""
    few = ["--steps", "3"]
    done = here("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "one", *RUN, *few)
    assert done.returncode == 0, done.stderr
    flags = [*workers(free_ports(2)), *few]
    processes = [start(tmp_path, "two", *flags, "--worker-number", number) for number in (0, 1)]
    codes, outputs, errors = ended(processes)
    assert codes == [0, 0], errors
    assert ["shared by 2 replicas" in output for output in outputs] == [True, False]
    shared, alone = losses(tmp_path / "two"), losses(tmp_path / "one")
    assert len(shared) == len(alone) == 3
    assert abs(shared[0] - alone[0]) <= 128 * np.spacing(np.float32(alone[0]))  # as in judges/rounding.py


def test_two_processes_with_statistics_of_their_own(script, tmp_path, free_ports):
    """As two devices of one process have them; the first step begins with equal weights and is not that of all rows."""
    few = ["--steps", "3", "--batch-statistics", "local"]
    flags = ["--strategy", "mirrored", "--replicas", "2", *few]
    done = script("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "devices", *RUN, *flags)
    assert done.returncode == 0, done.stderr
    assert "of digits, shared by 2 replicas, each with batch statistics of its own" in done.stdout
    flags = [*workers(free_ports(2)), *few]
    processes = [start(tmp_path, "processes", *flags, "--worker-number", number) for number in (0, 1)]
    codes, _, errors = ended(processes)
    assert codes == [0, 0], errors
    first, second = losses(tmp_path / "devices"), losses(tmp_path / "processes")
    assert len(first) == len(second) == 3
    assert abs(first[0] - second[0]) <= 128 * np.spacing(np.float32(second[0]))  # as in judges/rounding.py
    done = script("trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "one", *RUN, *few)
    assert done.returncode == 0, done.stderr
    assert abs(losses(tmp_path / "one")[0] - first[0]) > 1e-3


def test_workers_with_other_settings_name_them(tmp_path, free_ports):
    ports = free_ports(2)
    flags = workers(ports)
    processes = [start(tmp_path, "a", *flags, "--worker-number", n, "--seed", seed) for n, seed in ((0, 0), (1, 3))]
    codes, _, errors = ended(processes, seconds=60)
    assert codes == [2, 2]
    assert set(errors) == {
        f"error: worker 1 (127.0.0.1:{ports[1]}) has another seed than the chief: 3 there, 0 here; "
        "start all workers with the same command, versions and data.\n"
    }
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("flags", "environment", "sentence"),
    [
        (
            ["--strategy", "multi_worker"],
            {"TF_CONFIG": "{"},
            "TF_CONFIG must be JSON with cluster and task (type, index); got '{' "
            "(JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)).",
        ),
        (
            ["--strategy", "mirrored", "--replicas", "3"],
            {},
            "--batch-size must be a multiple of the 3 replicas that share it; got 64; 63 and 66 are.",
        ),
        (
            ["--strategy", "multi_worker", "--workers", "127.0.0.1:1,127.0.0.1:9", "--worker-number", "1"]
            + ["--wait", "1"],
            {},
            "the chief, worker 0 (127.0.0.1:1), could not be reached within 1 s (Connection refused); "
            "start it with the same addresses, or raise --wait.",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(script, tmp_path, flags, environment, sentence):
    done = script(
        "trainers/pretrain.py", "--runs-dir", tmp_path, "--name", "a", *RUN, *flags, timeout=60, **environment
    )
    assert (done.returncode, done.stderr) == (2, f"error: {sentence}\n")
    assert not (tmp_path / "a").exists()
