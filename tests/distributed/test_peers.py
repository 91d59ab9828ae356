"""Workers that meet over real connections: what they agree on, and what each says when another ends."""

import signal
import socket
import subprocess
import sys
import time
from functools import partial

import pytest
from strangers import COUNT, Ports, Wire, slow_senders, until_listening

from qssl_tf.distributed.handshake import call
from qssl_tf.distributed.secret import FILE, find_secret

# One worker: meets, compares a value, says what the chief told it, then waits for what happens.
PROGRAM = """
import sys, time
from pathlib import Path
from qssl_tf.distributed.options import StrategyOptions
from qssl_tf.distributed.cluster import claim
from qssl_tf.distributed.rendezvous import end_process, joined
from qssl_tf.distributed.secret import find_secret
from qssl_tf.cli.run import run_command

def main():
    addresses, number, value, then = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    secret = find_secret(Path(sys.argv[6]))
    place = claim(tuple(addresses), number)
    options = StrategyOptions("multi_worker", cluster=place, secret=secret, wait=float(sys.argv[5]))
    with joined(options, {"value": value}) as peers:
        peers.remedy = "go on with --resume RUN."
        print("told", peers.tell("runs/a"), flush=True)
        peers.on_stop = lambda name: peers.end(name)
        if then == "wait":
            time.sleep(60)
        elif then == "ask":
            peers.ask_to_stop("SIGTERM")
            time.sleep(60)
        elif then == "chief":
            while not peers._over.is_set():
                time.sleep(0.01)
            time.sleep(0.3)
            return 130
        elif then == "raise":
            from qssl_tf.errors import UserError
            raise UserError("the disk is full.")
    return 0

end_process(run_command(main))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def start(shared):
    """A function that starts a worker; its secret is that of a folder that all share."""
    return partial(started, shared)


def started(folder, addresses, number, value="1", then="end", wait=20):
    arguments = [sys.executable, "-c", PROGRAM, ",".join(addresses), str(number), value, then, str(wait), str(folder)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(processes):
    answers = [process.communicate(timeout=120) for process in processes]
    return [process.returncode for process in processes], [out for out, _ in answers], [err for _, err in answers]


@pytest.fixture
def addresses(free_ports):
    return [f"127.0.0.1:{port}" for port in free_ports(3)]


def test_all_meet_agree_and_part(addresses, start):
    codes, outputs, errors = results([start(addresses, number) for number in (2, 0, 1)])
    assert (codes, errors) == ([0, 0, 0], ["", "", ""])
    assert outputs == ["told runs/a\n"] * 3


def test_all_name_the_setting_in_which_one_differs(addresses, start):
    codes, _, errors = results([start(addresses, number, value="2" if number == 2 else "1") for number in range(3)])
    assert codes == [2, 2, 2]
    assert set(errors) == {
        f"error: worker 2 ({addresses[2]}) has another value than the chief: '2' there, '1' here; "
        "start all workers with the same command, versions and data.\n"
    }


def test_a_killed_worker_ends_all_with_one_line(addresses, start):
    processes = [start(addresses, number, then="wait") for number in range(3)]
    for process in processes:
        assert process.stdout.readline() == "told runs/a\n"
    began = time.monotonic()
    processes[1].kill()
    codes, _, errors = results(processes)
    assert time.monotonic() - began < 10
    lost = f"worker 1 ({addresses[1]}) ended before training did; go on with --resume RUN."
    assert codes == [2, -9, 2]
    assert errors == [f"error: {lost}\n", "", f"error: worker 0 ({addresses[0]}): {lost}\n"]


def test_a_killed_chief_ends_all_with_one_line(addresses, start):
    processes = [start(addresses, number, then="wait") for number in range(3)]
    for process in processes:
        assert process.stdout.readline() == "told runs/a\n"
    processes[0].kill()
    codes, _, errors = results(processes)
    lost = f"error: worker 0 ({addresses[0]}) ended before training did; go on with --resume RUN.\n"
    assert (codes, errors) == ([-9, 2, 2], ["", lost, lost])


def test_all_hear_what_ended_one(addresses, start):
    codes, _, errors = results(
        [start(addresses, number, then="raise" if number == 1 else "wait") for number in range(3)]
    )
    problem = f"worker 1 ({addresses[1]}): the disk is full."
    assert codes == [2, 2, 2]
    assert errors == [
        f"error: {problem}\n",
        "error: the disk is full.\n",
        f"error: worker 0 ({addresses[0]}): {problem}\n",
    ]


def test_a_signal_to_one_worker_stops_all(addresses, start):
    thens = ("chief", "ask", "wait")
    codes, _, errors = results([start(addresses, number, then=then) for number, then in enumerate(thens)])
    stopped = "stopped: the chief got SIGTERM; go on with --resume RUN.\n"
    assert (codes, errors) == ([130, 130, 130], ["", stopped, stopped])


def test_a_worker_that_does_not_come(addresses, start):
    began = time.monotonic()
    codes, _, errors = results([start(addresses, number, wait=2) for number in (0, 1)])
    assert time.monotonic() - began < 30
    problem = f"error: worker 2 ({addresses[2]}) did not come within 2 s; start every worker, or raise --wait.\n"
    assert (codes, errors) == ([2, 2], [problem, problem])


def test_ctrl_c_ends_a_chief_that_waits(addresses, start):
    chief = start(addresses[:2], 0)
    until_listening(int(addresses[0].split(":")[1]), chief)
    chief.send_signal(signal.SIGINT)
    codes, outputs, errors = results([chief])
    assert (codes, outputs) == ([130], [""]), errors
    assert errors[0].startswith("stopped by Ctrl-C; begin again with: python ") and "Traceback" not in errors[0]


def test_a_chief_that_does_not_come(addresses, start):
    codes, _, errors = results([start(addresses, 1, wait=1)])
    assert codes == [2]
    assert errors == [
        f"error: the chief, worker 0 ({addresses[0]}), could not be reached within 1 s (Connection refused); "
        "start it with the same addresses, or raise --wait.\n"
    ]


def test_something_else_in_the_chiefs_place(addresses, start):
    """A web server, say: it takes the connection, and answers in its own way or never."""
    host, port = addresses[0].split(":")
    with socket.create_server((host, int(port))) as other:
        process = start(addresses, 1, wait=3)
        connection, _ = other.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        codes, _, errors = results([process])
        connection.close()
    assert codes == [2]
    assert errors == [f"error: {addresses[0]} answers, but is no worker of qssl_tf; look what runs there.\n"]


def test_workers_that_name_other_workers(addresses, start):
    others = [addresses[0], addresses[2], addresses[1]]
    codes, _, errors = results([start(addresses, 0, wait=10), start(others, 1, wait=10)])
    problem = f"error: worker 1 names other workers ({','.join(others)}) than the chief ({','.join(addresses)}).\n"
    assert (codes, errors) == ([2, 2], [problem, problem])


def test_strangers_at_the_chiefs_door_do_no_harm(addresses, start, shared):
    """Among them the messages of an honest worker of an earlier try, as they were on the wire."""
    host, port = addresses[0].split(":")
    first = start(addresses[:2], 0)
    until_listening(int(port), first)
    wire = Wire((host, int(port)))
    there, connection = call(address_of(wire), find_secret(shared), "training", {"number": 1, "workers": ["a:1"]}, 10)
    assert there == {} and results([first])[0] == [2]
    connection.close()
    wire.close()

    chief = start(addresses[:2], 0, wait=600)
    until_listening(int(port), chief)
    Ports(int(port), recorded=wire.said()[0]).come(COUNT, seed=1)
    codes, outputs, errors = results([chief, start(addresses[:2], 1)])
    refused = f"127.0.0.1 called with another secret than {shared / FILE} and was refused\n"
    assert (codes, errors) == ([0, 0], ["", ""])
    assert outputs == [f"{refused}told runs/a\n", "told runs/a\n"]


def test_strangers_at_the_port_of_a_worker_that_waits_for_the_chief(addresses, start):
    """It keeps its place there for TensorFlow, and listens to nobody."""
    port = int(addresses[1].split(":")[1])
    worker = start(addresses[:2], 1, wait=600)
    until_listening(port, worker)
    Ports(port, answers=False).come(COUNT, seed=3)
    codes, outputs, errors = results([start(addresses[:2], 0), worker])
    assert (codes, outputs, errors) == ([0, 0], ["told runs/a\n"] * 2, ["", ""])


def address_of(wire):
    host, port = wire.address.split(":")
    return host, int(port)


def test_slow_and_silent_strangers_do_not_put_off_the_end(addresses, start):
    chief = start(addresses[:2], 0, wait=3)
    host, port = addresses[0].split(":")
    until_listening(int(port), chief)
    silent = [socket.create_connection((host, int(port))) for _ in range(120)]
    with slow_senders((host, int(port)), 5):
        began = time.monotonic()
        codes, _, errors = results([chief])
    assert time.monotonic() - began < 10
    assert (codes, errors) == (
        [2], [f"error: worker 1 ({addresses[1]}) did not come within 3 s; start every worker, or raise --wait.\n"],
    )  # fmt: skip
    for connection in silent:
        connection.close()


def test_a_worker_with_another_secret(addresses, start, shared, tmp_path):
    chief = start(addresses[:2], 0, wait=6)
    until_listening(int(addresses[0].split(":")[1]), chief)
    codes, outputs, errors = results([started(tmp_path, addresses[:2], 1), chief])
    assert codes == [2, 2]
    assert errors == [
        f"error: the chief, worker 0 ({addresses[0]}), refuses this worker: it has another secret than "
        f"{tmp_path / FILE}; give all the same one by --secret-file or QSSL_TF_SECRET, or a folder that all see.\n",
        f"error: worker 1 ({addresses[1]}) did not come within 6 s; start every worker, or raise --wait.\n",
    ]
    assert outputs[1] == f"127.0.0.1 called with another secret than {shared / FILE} and was refused\n"


def come(addresses, secret):
    """Take a worker's place in this process."""
    host, port = addresses[0].split(":")
    return call((host, int(port)), secret, "training", {"number": 1, "workers": addresses}, 10)[1]


def test_a_worker_that_came_and_says_nothing_more(addresses, start, shared):
    chief = start(addresses[:2], 0, wait=3)
    until_listening(int(addresses[0].split(":")[1]), chief)
    with come(addresses[:2], find_secret(shared)):
        codes, _, errors = results([chief])
    problem = f"worker 1 ({addresses[1]}) came and then said nothing; start all workers again."
    assert (codes, errors) == ([2], [f"error: {problem}\n"])


def test_a_worker_that_ends_while_others_are_waited_for_can_come_again(addresses, start, shared):
    chief = start(addresses, 0)
    until_listening(int(addresses[0].split(":")[1]), chief)
    come(addresses, find_secret(shared)).close()
    codes, outputs, errors = results([chief, *(start(addresses, number) for number in (1, 2))])
    assert (codes, outputs, errors) == ([0] * 3, ["told runs/a\n"] * 3, [""] * 3)
