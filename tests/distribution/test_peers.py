"""Workers that meet over real connections: what they agree on, and what each says when another ends."""

import json
import socket
import subprocess
import sys
import time

import pytest

# One worker: meets, compares a value, says what the chief told it, then waits for what happens.
PROGRAM = """
import sys, time
from qssl_tf.distribution.choice import Choice
from qssl_tf.distribution.cluster import claim
from qssl_tf.distribution.meeting import end_process, joined
from qssl_tf.flags import run_command

def main():
    addresses, number, value, then = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    choice = Choice("multi_worker", cluster=claim(tuple(addresses), number), wait=float(sys.argv[5]))
    with joined(choice, {"value": value}) as peers:
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


def start(addresses, number, value="1", then="end", wait=20):
    arguments = [sys.executable, "-c", PROGRAM, ",".join(addresses), str(number), value, then, str(wait)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(processes):
    answers = [process.communicate(timeout=60) for process in processes]
    return [process.returncode for process in processes], [out for out, _ in answers], [err for _, err in answers]


@pytest.fixture
def addresses(free_ports):
    return [f"127.0.0.1:{port}" for port in free_ports(3)]


def test_all_meet_agree_and_part(addresses):
    codes, outputs, errors = results([start(addresses, number) for number in (2, 0, 1)])
    assert (codes, errors) == ([0, 0, 0], ["", "", ""])
    assert outputs == ["told runs/a\n"] * 3


def test_all_name_the_setting_in_which_one_differs(addresses):
    codes, _, errors = results([start(addresses, number, value="2" if number == 2 else "1") for number in range(3)])
    assert codes == [2, 2, 2]
    assert set(errors) == {
        f"error: worker 2 ({addresses[2]}) has another value than the chief: '2' there, '1' here; "
        "start all workers with the same command, versions and data.\n"
    }


def test_a_killed_worker_ends_all_with_one_line(addresses):
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


def test_a_killed_chief_ends_all_with_one_line(addresses):
    processes = [start(addresses, number, then="wait") for number in range(3)]
    for process in processes:
        assert process.stdout.readline() == "told runs/a\n"
    processes[0].kill()
    codes, _, errors = results(processes)
    lost = f"error: worker 0 ({addresses[0]}) ended before training did; go on with --resume RUN.\n"
    assert (codes, errors) == ([-9, 2, 2], ["", lost, lost])


def test_all_hear_what_ended_one(addresses):
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


def test_a_signal_to_one_worker_stops_all(addresses):
    thens = ("chief", "ask", "wait")
    codes, _, errors = results([start(addresses, number, then=then) for number, then in enumerate(thens)])
    stopped = "stopped: the chief got SIGTERM; go on with --resume RUN.\n"
    assert (codes, errors) == ([130, 130, 130], ["", stopped, stopped])


def test_a_worker_that_does_not_come(addresses):
    began = time.monotonic()
    codes, _, errors = results([start(addresses, number, wait=2) for number in (0, 1)])
    assert time.monotonic() - began < 30
    problem = f"error: worker 2 ({addresses[2]}) did not come within 2 s; start every worker, or raise --wait.\n"
    assert (codes, errors) == ([2, 2], [problem, problem])


def test_a_chief_that_does_not_come(addresses):
    codes, _, errors = results([start(addresses, 1, wait=1)])
    assert codes == [2]
    assert errors == [
        f"error: the chief, worker 0 ({addresses[0]}), could not be reached within 1 s (Connection refused); "
        "start it with the same addresses, or raise --wait.\n"
    ]


def test_something_else_in_the_chiefs_place(addresses):
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
    assert errors == [f"error: worker 0 ({addresses[0]}) answers, but is no worker of qssl_tf; look what runs there.\n"]


def test_workers_that_name_other_workers(addresses):
    others = [addresses[0], addresses[2], addresses[1]]
    codes, _, errors = results([start(addresses, 0, wait=10), start(others, 1, wait=10)])
    problem = f"error: worker 1 names other workers ({','.join(others)}) than the chief ({','.join(addresses)}).\n"
    assert (codes, errors) == ([2, 2], [problem, problem])


def test_strangers_at_the_chiefs_door_do_no_harm(addresses):
    chief = start(addresses[:2], 0)
    for greeting in (
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"[1, 2]\n",
        b"\xff\xfe\n",
        b"[" * 50_000 + b"\n",
        json.dumps("x").encode(),
    ):
        while True:
            try:
                with socket.create_connection(addresses[0].split(":")) as stranger:
                    stranger.sendall(greeting)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
    codes, outputs, errors = results([chief, start(addresses[:2], 1)])
    assert (codes, outputs, errors) == ([0, 0], ["told runs/a\n"] * 2, ["", ""])
