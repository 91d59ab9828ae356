"""Chief and worker in one process, over a real connection on loopback."""

import dataclasses
import socket
import threading
from contextlib import contextmanager

import cluster
import keras_tuner
import pytest
from cluster import Client, address, join, serve
from plan import Plan
from space import Choice, Range
from tuner import Tuner, make_oracle

from qssl_tf.config import Config
from qssl_tf.errors import UserError

PARAMETERS = {"shots": Choice((None, 100)), "gradient": Choice(("adjoint", "spsa"), {"shots": (100,)})}
PARAMETERS |= {"temperature": Range(0.1, 1.0), "width": Range(2, 8), "angle_norm": Choice((False, True))}
PLAN = Plan(Config(validation_fraction=0.2), PARAMETERS, "random", 3, "validation_accuracy", 0)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 3.0)
    monkeypatch.setattr(cluster, "POLL", 0.05)
    for name in ("ORACLE_IP", "ORACLE_PORT", "TUNER_ID"):
        monkeypatch.setenv(f"KERASTUNER_{name}", "")  # put back afterwards


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def chief_of(plan, folder):
    oracle, where, told = make_oracle(plan), free_address(), []
    for name in ("ORACLE_IP", "ORACLE_PORT", "TUNER_ID"):
        cluster.os.environ.pop(f"KERASTUNER_{name}")
    Tuner(plan, oracle, folder)
    serving = threading.Thread(target=serve, args=(oracle, where, 60.0, told.append), daemon=True)
    serving.start()
    join(where)
    yield oracle, where, serving


def ended(client, trial, accuracy):
    client.update_trial(trial.trial_id, {"validation_accuracy": accuracy})
    trial.status = "COMPLETED"
    client.end_trial(trial)


def test_values_and_figures_travel_unchanged(tmp_path):
    with chief_of(PLAN, tmp_path) as (oracle, where, serving):
        client = Client(make_oracle(PLAN), where, beat=60)
        client.check_space(tmp_path)
        for number in range(3):
            trial = client.create_trial("w")
            assert trial.hyperparameters.values == oracle.trials[trial.trial_id].hyperparameters.values
            ended(client, trial, 50.0 + number)
        assert client.create_trial("w").status == "STOPPED"
        serving.join(timeout=20)
        assert not serving.is_alive()
        assert [oracle.trials[name].score for name in oracle.end_order] == [50.0, 51.0, 52.0]


def test_a_worker_waits_while_the_last_trial_is_out(tmp_path):
    plan = dataclasses.replace(PLAN, trials=1)
    with chief_of(plan, tmp_path) as (_, where, _):
        client = Client(make_oracle(plan), where, beat=60)
        trial = client.create_trial("a")
        answers = []
        other = threading.Thread(target=lambda: answers.append(client.create_trial("b").status))
        other.start()
        other.join(timeout=1.0)
        assert other.is_alive() and answers == []
        ended(client, trial, 5.0)
        other.join(timeout=10)
        assert answers == ["STOPPED"]
        assert client.create_trial("a").status == "STOPPED"


def test_signs_of_life_reach_the_chief(tmp_path):
    with chief_of(PLAN, tmp_path) as (oracle, where, _):
        client = Client(make_oracle(PLAN), where, beat=0.05)
        trial = client.create_trial("w")
        before = oracle.last_seen[trial.trial_id]
        heard = threading.Event()
        seen, told = oracle.get_trial, heard.set
        oracle.get_trial = lambda name: (told(), seen(name))[1]
        with client.alive(trial.trial_id):
            assert heard.wait(10)
        assert oracle.last_seen[trial.trial_id] >= before


def test_a_chief_of_another_space_is_refused(tmp_path):
    other = Plan(PLAN.base, PARAMETERS | {"width": Range(2, 9)}, "random", 3, "validation_accuracy", 0)
    with chief_of(other, tmp_path) as (_, where, _):
        client = Client(make_oracle(PLAN), where, beat=60)
        with pytest.raises(UserError) as caught:
            client.check_space(tmp_path)
    assert str(caught.value) == (
        f"the chief at {where} searches another space than {tmp_path} (other: width); "
        "name the chief's folder with --resume."
    )


def test_no_chief():
    where = free_address()
    join(where)
    with pytest.raises(UserError, match=rf"^no chief answers at {where} \(waited 3 s\); start it with --role chief"):
        Client(make_oracle(PLAN), where, beat=60)


def test_a_chief_that_is_gone(tmp_path, monkeypatch):
    plan = dataclasses.replace(PLAN, trials=1)
    with chief_of(plan, tmp_path) as (_, where, serving):
        client = Client(make_oracle(plan), where, beat=60)
        ended(client, client.create_trial("w"), 1.0)
        assert client.create_trial("w").status == "STOPPED"
        serving.join(timeout=20)
        with pytest.raises(
            keras_tuner.errors.FatalError, match="does not answer .*; nothing is lost: continue it with"
        ):
            client.create_trial("w")


@pytest.mark.parametrize("text", ["here", "here:", ":9000", "here:0", "here:65536", "here:-1", "here:9 000"])
def test_bad_addresses(text):
    with pytest.raises(UserError) as caught:
        address(text)
    assert str(caught.value) == f"--chief must be HOST:PORT with a port from 1 to 65535; got '{text}'."


def test_an_address_that_cannot_be_listened_on():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError) as caught:
            serve(make_oracle(PLAN), where, 60.0, print)
    assert str(caught.value) == f"cannot listen at {where}: Address already in use; choose another --chief."
