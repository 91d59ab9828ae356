"""Chiefs as a user starts them, and who comes to their port: strangers, workers of another search, and an honest one.

The honest worker trains nothing: it reports figures that are known.
"""

import csv
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import keras_tuner
import pytest
from strangers import COUNT, Ports, Wire, until_listening

from qssl_tf.distributed.handshake import call
from qssl_tf.distributed.secret import VARIABLE, find_secret
from qssl_tf.search.client import Client
from qssl_tf.search.identity import read_identity
from qssl_tf.search.plan import read_plan
from qssl_tf.search.trials import FIGURES
from qssl_tf.search.tuner import make_oracle

ROOT = Path(__file__).resolve().parents[2]
RIGHT = dict.fromkeys(FIGURES, 2.0) | {"validation_accuracy": 34.72, "balanced_accuracy": 33.0}


@pytest.fixture
def chief_of(tmp_path, free_ports):
    """A function that starts the chief of a search of a name, in one folder of searches."""
    started = []

    def start(name):
        port = free_ports(1)[0]
        words = ["--searches-dir", tmp_path, "--name", name, "--vary", "width=3,4", "--trials", 2, "--head", "identity"]
        words += ["--role", "chief", "--chief", f"127.0.0.1:{port}"]
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        with open(tmp_path / f"{name}.txt", "w") as log:
            command = [sys.executable, "tuning/search.py", *map(str, words)]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        started.append(process)
        return process, port

    yield start
    for process in started:
        process.kill()
        process.wait()


def worker(folder, where):
    plan = read_plan(folder)
    return Client(make_oracle(plan), where, find_secret(folder.parent), read_identity(folder, plan), beat=60)


def nonsense(client, rng):
    """Return a message of whoever has secret and identity, and a trial to tell about, and says something else."""
    values = [None, True, -1, 0, 1e300, "", "0", "1", "x" * 10_000, [], {}, [{}], "COMPLETED", "RUNNING", RIGHT]
    right = {"search": client._identity.search, "worker": client.worker, "trial": "0", "ticket": client._tickets["0"]}
    message = right | {"ask": rng.choice(["end", "update"])}
    message |= {"metrics": RIGHT, "status": "COMPLETED"} if rng.random() < 0.5 else {}
    broken = ["search", "worker", "trial", "ticket", "ask"] if len(message) > 5 else ["status", "metrics"]
    name = rng.choice(broken)
    wrong = [value for value in values if not (name == "metrics" and value is RIGHT or message.get(name) == value)]
    return message | {name: rng.choice(wrong)}


def test_strangers_and_the_worker_of_a_stopped_search(tmp_path, chief_of):
    (stopped, first_port), (chief, port) = chief_of("stopped"), chief_of("goes-on")
    until_listening(first_port, stopped, seconds=300)
    until_listening(port, chief, seconds=300)

    other = worker(tmp_path / "stopped", f"127.0.0.1:{first_port}")
    other.create_trial("")
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(60) == 130
    last = (tmp_path / "stopped.txt").read_text().splitlines()[-1]
    assert last == f"stopped by Ctrl-C; continue with: python tuning/search.py --resume {tmp_path / 'stopped'}"
    other.chief = f"127.0.0.1:{port}"  # the port has gone to the other search
    wire = Wire(("127.0.0.1", port))
    client = worker(tmp_path / "goes-on", wire.address)
    trial = client.create_trial("")
    assert client.get_trial("0").status == "RUNNING"
    for tell in (
        lambda: other.update_trial("0", RIGHT | {"validation_accuracy": 15.28}),
        lambda: other.create_trial(""),
    ):
        with pytest.raises(keras_tuner.errors.FatalError, match="refuses this worker: it serves another search"):
            tell()

    rng, secret = random.Random(0), find_secret(tmp_path)
    for _ in range(COUNT // 2):
        answer, connection = call(("127.0.0.1", port), secret, "search", nonsense(client, rng), 30)
        connection.close()
        assert answer.keys() == {"refused"}
    Ports(port, recorded=wire.said()[0]).come(COUNT - COUNT // 2, seed=2)

    for figures in (RIGHT, RIGHT | {"seconds": math.nan, "loss": math.inf}):
        client.update_trial(trial.trial_id, figures)
        trial.status = "COMPLETED"
        client.end_trial(trial)
        trial = client.create_trial("")
    assert trial.status == "STOPPED"
    wire.close()
    assert chief.wait(120) == 0, (tmp_path / "goes-on.txt").read_text()
    with open(tmp_path / "goes-on" / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["state"], float(row["validation_accuracy"])) for row in rows] == [("completed", 34.72)] * 2
    told = (tmp_path / "goes-on.txt").read_text()
    assert "Traceback" not in told and told.count("called with another secret than") == 1
