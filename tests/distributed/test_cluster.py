"""Workers' addresses: what is read, what is refused, and who takes which place."""

import json
import socket

import pytest

from qssl_tf.distributed.cluster import checked_addresses, claim, from_tf_config, host_and_port
from qssl_tf.errors import UserError


def tf_config(**tasks):
    kind, index = tasks.pop("task", ("worker", 0))
    return json.dumps({"cluster": tasks, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("address", "expected"),
    [("node-1.lab:2222", ("node-1.lab", 2222)), ("[::1]:80", ("::1", 80)), ("10.0.0.1:1", ("10.0.0.1", 1))],
)
def test_an_address_is_split(address, expected):
    assert host_and_port(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "a:",
        "a:0",
        "a:65536",
        ":1",
        "a b:1",
        "a:1x",
        "::1:80",
        7,
        None,
        "a:1\n",
        "x" * 99,
        "a..b:1",
        ".:1",
        "x" * 64 + ":1",
    ],
)
def test_what_is_no_address(address):
    with pytest.raises(UserError) as error:
        checked_addresses(["good:1", address], "--workers")
    assert str(error.value) == (
        f"--workers: a worker must be host:port with a port from 1 to 65535; got {address!r:.80}."
    )


@pytest.mark.parametrize(
    ("addresses", "got"), [(["a:1"], "1"), ([], "0"), ("a:1", "'a:1'"), ({"a:1": 2}, "{'a:1': 2}")]
)
def test_too_few_addresses(addresses, got):
    with pytest.raises(UserError) as error:
        checked_addresses(addresses, "--workers")
    assert str(error.value) == f"--workers must list 2 to 1024 workers as host:port; got {got}."


def test_an_address_given_twice():
    with pytest.raises(UserError) as error:
        checked_addresses(["a:1", "b:1", "a:1"], "TF_CONFIG")
    assert str(error.value) == "TF_CONFIG names a:1 twice; each worker needs an address of its own."


def test_tf_config_of_workers_alone():
    assert from_tf_config(tf_config(worker=["a:1", "b:2", "c:3"], task=("worker", 2))) == (("a:1", "b:2", "c:3"), 2)


@pytest.mark.parametrize(("task", "number"), [(("chief", 0), 0), (("worker", 0), 1), (("worker", 1), 2)])
def test_a_chief_comes_before_the_workers(task, number):
    text = tf_config(worker=["b:2", "c:3"], chief=["a:1"], task=task)
    assert from_tf_config(text) == (("a:1", "b:2", "c:3"), number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "TF_CONFIG must be JSON with cluster and task (type, index); got ''"),
        ("[" * 100_000, "TF_CONFIG must be JSON with cluster and task (type, index); got '[["),
        ("[]", "TF_CONFIG must be JSON with cluster and task (type, index); got '[]'"),
        ('{"cluster": {}}', "TF_CONFIG must be JSON with cluster and task (type, index); got"),
        ('{"cluster": 3, "task": {"type": "worker", "index": 0}}', "TF_CONFIG must be JSON with cluster and task"),
        (tf_config(worker=["a:1", "b:1"], ps=["c:1"]), "TF_CONFIG may have tasks of type chief and worker, and"),
        (tf_config(worker=["a:1", "b:1"], task=("chief", 0)), "TF_CONFIG may have tasks of type chief and worker, and"),
        (tf_config(worker=["a:1", "b:1"], task=("worker", 2)), "TF_CONFIG's task index must be from 0 to 1; got 2."),
        (
            tf_config(worker=["a:1", "b:1"], task=("worker", "0")),
            "TF_CONFIG's task index must be from 0 to 1; got '0'.",
        ),
        (
            tf_config(worker=["a:1", "b:1"], task=("worker", True)),
            "TF_CONFIG's task index must be from 0 to 1; got True.",
        ),
        (tf_config(worker=["a:1", "b"]), "TF_CONFIG: a worker must be host:port with a port from 1 to 65535; got 'b'."),
        (tf_config(worker=["a:1", "a:1"]), "TF_CONFIG names a:1 twice; each worker needs an address of its own."),
        (
            '{"cluster": ["worker"], "task": {"type": "worker", "index": 0}}',
            "TF_CONFIG must be JSON with cluster and task",
        ),
        (
            tf_config(worker=["a:1", "b:1"], task=(["worker"], 0)),
            "TF_CONFIG may have tasks of type chief and worker, and",
        ),
        (tf_config(worker="a:1"), "TF_CONFIG must give its tasks as lists, and one chief at most."),
        (
            tf_config(worker=["c:1"], chief=["a:1", "b:1"]),
            "TF_CONFIG must give its tasks as lists, and one chief at most.",
        ),
        (tf_config(worker=["a:1"]), "TF_CONFIG must list 2 to 1024 workers as host:port; got 1."),
    ],
)
def test_a_bad_tf_config(text, message):
    with pytest.raises(UserError) as error:
        from_tf_config(text)
    assert str(error.value).startswith(message) and "\n" not in str(error.value) and len(str(error.value)) < 400


def test_processes_take_the_free_places_in_turn(free_ports):
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(3))
    first, second = claim(addresses, None), claim(addresses, None)
    assert (first.number, second.number) == (0, 1)
    first.listener.close()
    third = claim(addresses, None)
    assert (third.number, third.name) == (0, f"worker 0 ({addresses[0]})")
    last = claim(addresses, None)
    with pytest.raises(UserError) as error:
        claim(addresses, None)
    assert (
        str(error.value)
        == f"`workers`: other processes hold all its addresses of this machine ({', '.join(addresses)})."
    )
    for cluster in (second, third, last):
        cluster.listener.close()


def test_no_address_of_this_machine():
    with pytest.raises(UserError) as error:
        claim(("a.invalid:2222", "b.invalid:2222"), None)  # a domain that never exists, RFC 6761
    assert str(error.value) == (
        "`workers` names no address of this machine (a.invalid:2222, b.invalid:2222); give `worker_number`."
    )


def test_a_port_that_is_taken():
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError) as error:
            claim((f"somewhere.else:{port}", "b:1"), 0)
    assert str(error.value) == (
        f"worker 0 (somewhere.else:{port}) cannot listen on port {port} (Address already in use); "
        "end the process that holds it, or take another port on all workers."
    )


def test_a_number_outside():
    with pytest.raises(UserError, match=r"^`worker_number` must be from 0 to 1; got 2\.$"):
        claim(("a:1", "b:1"), 2)
