"""What the command line may say about devices and machines."""

import argparse
import json
from pathlib import Path

import pytest

from qssl_tf.cli.strategy_flags import add_strategy_flags, read_strategy
from qssl_tf.commands import command_line
from qssl_tf.distributed.options import StrategyOptions, check_shares
from qssl_tf.distributed.secret import VARIABLE
from qssl_tf.errors import UserError


def chosen(*flags, batch_size=64, shared=Path("nowhere")):
    parser = argparse.ArgumentParser()
    add_strategy_flags(parser)
    with command_line():
        return read_strategy(parser.parse_args(flags), batch_size, shared)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in ("TF_CONFIG", VARIABLE):
        monkeypatch.delenv(name, raising=False)


def two_workers(ports, index=0):
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def test_one_device_is_the_default():
    assert chosen() == StrategyOptions("single")


def test_devices_of_this_machine():
    assert chosen("--strategy", "mirrored") == StrategyOptions("mirrored")
    assert chosen("--strategy", "mirrored", "--replicas", "4") == StrategyOptions("mirrored", replicas=4)


@pytest.mark.parametrize("number", [0, 1])
def test_workers_by_flag(free_ports, number, tmp_path):
    workers = ",".join(f"127.0.0.1:{port}" for port in free_ports(2))
    flags = ["--strategy", "multi_worker", "--workers", workers, "--worker-number", str(number), "--wait", "7"]
    options = chosen(*flags, shared=tmp_path / "runs")
    assert options.secret.words == (tmp_path / "runs" / ".secret").read_bytes().strip()
    assert (options.cluster.addresses, options.cluster.number, options.wait) == (tuple(workers.split(",")), number, 7)
    options.cluster.listener.close()


def test_workers_by_tf_config(free_ports, monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", two_workers(free_ports(2), index=1))
    (tmp_path / "key").write_text("k" * 40)
    (tmp_path / "key").chmod(0o600)
    options = chosen("--strategy", "multi_worker", "--secret-file", str(tmp_path / "key"))
    assert options.secret.words == b"k" * 40
    assert options.cluster.number == 1
    options.cluster.listener.close()


MULTI = ["--strategy", "multi_worker"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--strategy", "miror"],
            "`strategy` must be one of single, mirrored, multi_worker; got 'miror'. Did you mean 'mirrored'?",
        ),
        (["--replicas", "2"], "--replicas belongs to --strategy mirrored; got --strategy single."),
        ([*MULTI, "--replicas", "2"], "--replicas belongs to --strategy mirrored; got --strategy multi_worker."),
        (["--workers", "a:1,b:1"], "--workers belongs to --strategy multi_worker; got --strategy single."),
        (["--worker-number", "1"], "--worker-number belongs to --strategy multi_worker; got --strategy single."),
        (
            ["--secret-file", "key"],
            "--secret-file belongs to --strategy multi_worker; got --strategy single.",
        ),
        (
            ["--strategy", "mirrored", "--replicas", "two"],
            "--replicas must be a whole number from 1 to 1024; got 'two'.",
        ),
        (["--strategy", "mirrored", "--replicas", "0"], "--replicas must be a whole number from 1 to 1024; got '0'."),
        (["--wait", "0"], "--wait must be a whole number from 1 to 86400; got '0'."),
        (MULTI, "--strategy multi_worker needs --workers host:port,host:port,... or the variable TF_CONFIG."),
        ([*MULTI, "--workers", "a:1"], "--workers must list 2 to 1024 workers as host:port; got 1."),
        (
            [*MULTI, "--workers", "a:1,b:1", "--worker-number", "2"],
            "--worker-number must be a whole number from 0 to 1; got '2'.",
        ),
        (
            [*MULTI, "--workers", "a:1,b:1,c:1"],
            "--batch-size must be a multiple of the 3 replicas that share it; got 64; 63 and 66 are.",
        ),
        (
            ["--strategy", "mirrored", "--replicas", "128"],
            "128 replicas cannot share a batch of 64: take fewer, or a larger --batch-size.",
        ),
    ],
)
def test_what_is_refused(flags, sentence):
    with pytest.raises(UserError) as error:
        chosen(*flags)
    assert str(error.value) == sentence


def test_a_forgotten_cluster_is_not_trained_on_by_each_alone(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", two_workers([1, 2]))
    with pytest.raises(UserError) as error:
        chosen()
    assert str(error.value) == (
        "TF_CONFIG describes several workers, but --strategy is single: each would train alone; "
        "add --strategy multi_worker, or unset TF_CONFIG."
    )


def test_a_cluster_of_one_may_stay(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", two_workers([1]))
    assert chosen() == StrategyOptions("single")


def test_a_number_beside_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", two_workers([1, 2]))
    with pytest.raises(UserError) as error:
        chosen(*MULTI, "--worker-number", "0")
    assert str(error.value) == "--worker-number belongs to --workers; TF_CONFIG holds the number of its task."


@pytest.mark.parametrize(("batch_size", "replicas"), [(64, 1), (64, 2), (64, 64)])
def test_even_shares(batch_size, replicas):
    check_shares(batch_size, replicas)
