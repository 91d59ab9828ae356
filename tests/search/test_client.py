"""Chief and worker in one process, over real connections on loopback."""

import dataclasses
import errno
import json
import socket
import threading
from contextlib import contextmanager

import keras_tuner
import pytest
from strangers import Wire

from qssl_tf.commands import command_line
from qssl_tf.config import Config
from qssl_tf.distributed.handshake import call
from qssl_tf.distributed.secret import Secret
from qssl_tf.errors import UserError
from qssl_tf.search import chief as chief_module
from qssl_tf.search import client as cluster
from qssl_tf.search.chief import Desk, serve
from qssl_tf.search.client import Client, address
from qssl_tf.search.identity import begin_identity, read_identity
from qssl_tf.search.plan import Plan, write_plan
from qssl_tf.search.space import Choice, Range
from qssl_tf.search.trials import FIGURES
from qssl_tf.search.tuner import Tuner, make_oracle

PARAMETERS = {"shots": Choice((None, 100)), "gradient": Choice(("adjoint", "spsa"), {"shots": (100,)})}
PARAMETERS |= {"temperature": Range(0.1, 1.0), "width": Range(2, 8), "angle_norm": Choice((False, True))}
PLAN = Plan(Config(validation_fraction=0.2), PARAMETERS, "random", 3, "validation_accuracy", 0)
SECRET = Secret(b"s" * 32, "searches/.secret")
WORKER = "worker-0123456789ab"


@pytest.fixture(autouse=True)
def on_a_command_line():
    with command_line():
        yield


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 3.0)
    monkeypatch.setattr(cluster, "POLL", 0.05)
    monkeypatch.setattr(chief_module, "FAREWELL", 0.5)


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Chief:
    """A chief in another thread."""

    def __init__(self, plan, folder, where=None):
        self.plan, self.oracle, self.where = plan, make_oracle(plan), where or free_address()
        self.told, self.failure = [], None
        Tuner(plan, self.oracle, folder)
        self.identity = begin_identity(folder, plan)
        self.desk = Desk(self.oracle, self.identity)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            serve(self.desk, self.where, SECRET, 60.0, self.told.append)
        except Exception as error:
            self.failure = error

    def client(self, secret=SECRET, identity=None, beat=60):
        return Client(make_oracle(self.plan), self.where, secret, identity or self.identity, beat)

    def ask(self, **message):
        """Send a message that somebody with the secret made up, and return the answer."""
        answer, connection = call(address(self.where), SECRET, "search", message, 10)
        connection.close()
        return answer

    def finish(self):
        """Complete what is left, take back what is out, and wait for the chief's end."""
        self.oracle.requeue_silent(-1)
        client = self.client()
        while (trial := client.create_trial("")).status != "STOPPED":
            ended(client, trial, 34.72)
        self.thread.join(20)
        assert not self.thread.is_alive() and self.failure is None


@contextmanager
def chief_of(plan, folder):
    made = Chief(plan, folder)
    yield made
    if made.thread.is_alive():
        made.finish()


def figures(accuracy):
    return dict.fromkeys(FIGURES, 1.0) | {"validation_accuracy": accuracy}


def ended(client, trial, accuracy):
    client.update_trial(trial.trial_id, figures(accuracy))
    trial.status = "COMPLETED"
    client.end_trial(trial)


def test_values_and_figures_travel_unchanged(tmp_path):
    with chief_of(PLAN, tmp_path) as chief:
        client = chief.client()
        for number in range(3):
            trial = client.create_trial("")
            assert trial.hyperparameters.values == chief.oracle.trials[trial.trial_id].hyperparameters.values
            assert [entry.name for entry in trial.hyperparameters.space] == list(PARAMETERS)
            ended(client, trial, 50.1 + number)
        assert client.create_trial("").status == "STOPPED"
        chief.thread.join(20)
        assert not chief.thread.is_alive()
        assert [chief.oracle.trials[name].score for name in chief.oracle.end_order] == [50.1, 51.1, 52.1]


def test_a_worker_waits_while_the_last_trial_is_out(tmp_path):
    plan = dataclasses.replace(PLAN, trials=1)
    with chief_of(plan, tmp_path) as chief:
        client, second = chief.client(), chief.client()
        trial = client.create_trial("")
        answers = []
        other = threading.Thread(target=lambda: answers.append(second.create_trial("").status))
        other.start()
        other.join(timeout=1.0)
        assert other.is_alive() and answers == []
        ended(client, trial, 5.0)
        other.join(timeout=10)
        assert answers == ["STOPPED"]
        assert client.create_trial("").status == "STOPPED"


def test_signs_of_life_reach_the_chief(tmp_path):
    with chief_of(PLAN, tmp_path) as chief:
        client = chief.client(beat=0.05)
        trial = client.create_trial("")
        before = chief.oracle.last_seen[trial.trial_id]
        heard = threading.Event()
        seen, told = chief.oracle.get_trial, heard.set
        chief.oracle.get_trial = lambda name: (told(), seen(name))[1]
        with client.alive(trial.trial_id):
            assert heard.wait(10)
        assert chief.oracle.last_seen[trial.trial_id] >= before


def test_a_worker_of_a_stopped_search_reports_nothing_to_another_on_its_port(tmp_path):
    """Two searches from one folder of searches, and so with one secret, each with a trial 0 that is out."""
    with chief_of(PLAN, tmp_path / "b") as later:
        with chief_of(PLAN, tmp_path / "a") as stopped:
            worker = stopped.client()
            given = worker.create_trial("")
        worker.chief = later.where  # which was the other's before
        own = later.client()
        trial = own.create_trial("")
        assert trial.trial_id == given.trial_id == "0"
        for tell in (
            lambda: worker.update_trial("0", figures(15.28)),
            lambda: worker.create_trial(""),
            lambda: worker.get_trial("0"),
        ):
            with pytest.raises(keras_tuner.errors.FatalError) as caught:
                tell()
            assert str(caught.value) == (
                f"the chief at {later.where} refuses this worker: it serves another search; "
                "name the chief's folder with --resume."
            )
        ended(own, trial, 34.72)
        later.finish()
    assert later.oracle.trials["0"].score == 34.72


def test_a_search_keeps_its_identity_and_no_other_has_it(tmp_path):
    for name in ("a", "b"):
        write_plan_in(tmp_path / name)
    with pytest.raises(UserError) as caught:
        read_identity(tmp_path / "a", PLAN)
    assert str(caught.value) == (
        f"{tmp_path / 'a'} has had no chief yet; start one with --role chief --resume {tmp_path / 'a'}."
    )
    first = begin_identity(tmp_path / "a", PLAN)
    longer = dataclasses.replace(PLAN, trials=30)
    assert read_identity(tmp_path / "a", PLAN) == begin_identity(tmp_path / "a", longer) == first
    assert begin_identity(tmp_path / "b", PLAN) != first
    wider = dataclasses.replace(PLAN, parameters=PARAMETERS | {"width": Range(2, 9)})
    assert read_identity(tmp_path / "a", wider) != first
    (tmp_path / "a" / "identity.txt").write_text("xyz")
    with pytest.raises(UserError, match=r"identity\.txt is damaged \(.*\); remove it and start chief and workers anew"):
        read_identity(tmp_path / "a", PLAN)


def write_plan_in(folder):
    folder.mkdir()
    write_plan(folder, PLAN)


def test_a_worker_with_another_secret_or_search_is_told_so(tmp_path):
    with chief_of(PLAN, tmp_path / "a") as chief:
        with pytest.raises(UserError) as caught:
            chief.client(secret=Secret(b"t" * 32, "elsewhere/.secret"))
        assert str(caught.value) == (
            f"the chief at {chief.where} refuses this worker: it has another secret than elsewhere/.secret; "
            "give all the same one by --secret-file or QSSL_TF_SECRET, or a folder that all see."
        )
        write_plan_in(tmp_path / "b")
        with pytest.raises(UserError, match="refuses this worker: it serves another search; name the chief's folder"):
            chief.client(identity=begin_identity(tmp_path / "b", PLAN))
        assert chief.told == ["127.0.0.1 called with another secret than searches/.secret and was refused"]


def made_up(chief):
    """Return messages of whoever has the secret and the search's identity, and gets everything else wrong."""
    search, ticket = chief.identity.search, "0" * 64
    end = {"search": search, "worker": WORKER, "ask": "end", "status": "COMPLETED", "ticket": ticket}
    values = (None, True, 0, -1, 1.5, "", "x" * 100_000, [], {}, [[]], {"a": {"b": None}}, float("nan"), "0", "7")
    yield from ({"search": search, "worker": WORKER, "ask": "end", "trial": value} for value in values)
    yield from (end | {"trial": value} for value in values)
    yield from (end | {"trial": "0", "ticket": value} for value in values)
    yield from (end | {"worker": value} for value in values)
    yield from ({"search": search, "worker": WORKER, "ask": value} for value in values)
    yield from ({"search": value, "worker": WORKER, "ask": "create"} for value in values)
    yield from ({"search": search, "worker": f"{WORKER}{tail}", "ask": "create"} for tail in ("\n", "/../x", "0"))
    yield from ({"search": search, "worker": WORKER, "ask": "look", "trial": value} for value in values)


def test_no_message_hangs_or_ends_a_search(tmp_path):
    """The one that did: the end of a trial that there is not left keras-tuner's lock taken for ever."""
    with chief_of(PLAN, tmp_path) as chief:
        client = chief.client()
        trial = client.create_trial("")
        for message in made_up(chief):
            assert chief.ask(**message).keys() == {"refused"}, message
        ended(client, trial, 34.72)
        chief.finish()
    assert [chief.oracle.trials[name].score for name in chief.oracle.start_order] == [34.72] * 3


def test_figures_and_ends_that_mean_nothing_are_refused_and_change_nothing(tmp_path):
    with chief_of(PLAN, tmp_path) as chief:
        client = chief.client()
        trial = client.create_trial("")
        about = {"search": chief.identity.search, "worker": client.worker, "trial": "0"}
        about["ticket"] = client._tickets["0"]
        wrong = [None, [], 5.0, {}, {"validation_accuracy": 5.0}, figures(5.0) | {"x": 1.0}]
        wrong += [figures(value) for value in ("5", None, True, 5, [5.0], {"a": 5.0})]
        for metrics in wrong:
            assert "figures must be" in chief.ask(**about, ask="update", metrics=metrics)["refused"]
        assert chief.ask(**about, ask="end", status="COMPLETED") == {
            "refused": "a trial is completed once its figures are there"
        }
        for status in ("RUNNING", "IDLE", "STOPPED", "", None, 3, ["FAILED"]):
            assert "a trial ends" in chief.ask(**about, ask="end", status=status)["refused"]
        other = chief.client()  # a trial is told by whoever was given it
        assert chief.ask(**about | {"worker": other.worker}, ask="end", status="FAILED") == {
            "refused": "it gave this worker no such trial"
        }
        assert chief.oracle.trials["0"].status == "RUNNING" and chief.oracle.end_order == []
        ended(client, trial, 34.72)
        chief.finish()
    assert [chief.oracle.trials[name].score for name in chief.oracle.start_order] == [34.72] * 3


def test_what_is_told_again_counts_once(tmp_path):
    with chief_of(dataclasses.replace(PLAN, trials=2), tmp_path) as chief:
        client = chief.client()
        trial = client.create_trial("")
        assert client.create_trial("").trial_id == trial.trial_id  # asked twice, since an answer was lost
        client.update_trial("0", figures(10.0))
        client.update_trial("0", figures(34.72))
        trial.status = "COMPLETED"
        client.end_trial(trial)
        client.update_trial("0", figures(99.0))
        trial.status = "FAILED"
        client.end_trial(trial)
        chief.finish()
    assert chief.oracle.end_order == ["0", "1"]
    assert [(chief.oracle.trials[n].status, chief.oracle.trials[n].score) for n in "01"] == [("COMPLETED", 34.72)] * 2


def test_what_was_on_the_wire_is_not_taken_again(tmp_path):
    with chief_of(PLAN, tmp_path) as chief:
        wire = Wire(address(chief.where))
        client = Client(make_oracle(PLAN), wire.address, SECRET, chief.identity, 60)
        trial = client.create_trial("")
        said, answers = wire.said()
        wire.close()
        assert len(said) == 2 and SECRET.words not in b"".join(said + answers)
        for message in said:
            with socket.create_connection(address(chief.where), timeout=10) as again:
                hello, rest = message.split(b"\n", 1)
                again.sendall(hello + b"\n")
                again.recv(100)
                again.sendall(rest)
                assert again.recv(100) == b"refused: another secret\n"
        assert list(chief.oracle.trials) == ["0"]
        client.chief = chief.where
        ended(client, trial, 1.0)


def test_a_full_disk_of_the_chief_ends_it_in_one_line(tmp_path, monkeypatch):
    with chief_of(PLAN, tmp_path) as chief:
        client = chief.client()
        trial = client.create_trial("")

        def full():
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(chief.oracle, "save", full)
        with pytest.raises(keras_tuner.errors.FatalError, match="does not answer"):
            ended(client, trial, 34.72)
        chief.thread.join(10)
        assert isinstance(chief.failure, OSError) and chief.failure.errno == errno.ENOSPC
    # Nothing is lost: the figures are on file, and the search goes on where there is room again.
    with chief_of(PLAN, tmp_path) as again:
        again.finish()
    assert [again.oracle.trials[name].score for name in again.oracle.start_order] == [34.72] * 3


def test_a_worker_goes_on_with_a_chief_that_was_started_again(tmp_path):
    first = Chief(dataclasses.replace(PLAN, trials=2), tmp_path)
    client = first.client()
    trial = client.create_trial("")
    first.oracle.requeue_silent = lambda seconds: exit_now()

    def exit_now():
        raise OSError("killed")

    first.thread.join(10)
    again = Chief(dataclasses.replace(PLAN, trials=2), tmp_path, first.where)
    ended(client, trial, 34.72)
    again.finish()
    assert [again.oracle.trials[name].score for name in again.oracle.start_order] == [34.72] * 2


def test_no_chief(tmp_path):
    where = free_address()
    write_plan_in(tmp_path / "a")
    with pytest.raises(UserError, match=rf"^no chief answers at {where} \(waited 3 s\); start it with --role chief"):
        Client(make_oracle(PLAN), where, SECRET, begin_identity(tmp_path / "a", PLAN), beat=60)


def test_a_chief_that_is_gone(tmp_path):
    with chief_of(dataclasses.replace(PLAN, trials=1), tmp_path) as chief:
        client = chief.client()
        ended(client, client.create_trial(""), 1.0)
        assert client.create_trial("").status == "STOPPED"
        chief.thread.join(timeout=20)
        with pytest.raises(
            keras_tuner.errors.FatalError, match="does not answer .*; nothing is lost: continue it with"
        ):
            client.create_trial("")


@pytest.mark.parametrize(
    "text",
    [
        "here",
        "here:",
        ":9000",
        "here:0",
        "here:65536",
        "here:-1",
        "here:9 000",
        "a..b:9000",
        ".:9000",
        f"{'x' * 70}:9000",
    ],
)
def test_bad_addresses(text):
    with pytest.raises(UserError) as caught:
        address(text)
    assert str(caught.value) == f"--chief must be HOST:PORT with a port from 1 to 65535; got '{text}'."


def test_an_address_that_cannot_be_listened_on(tmp_path):
    write_plan_in(tmp_path / "a")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError) as caught:
            serve(Desk(make_oracle(PLAN), begin_identity(tmp_path / "a", PLAN)), where, SECRET, 60.0, print)
    assert str(caught.value) == f"cannot listen at {where}: Address already in use; choose another --chief."


def test_the_state_of_a_search_is_json(tmp_path):
    """No number and no text changes between a trial's file, the wire and the worker."""
    with chief_of(PLAN, tmp_path) as chief:
        trial = chief.client().create_trial("")
        kept = json.loads((tmp_path / "keras_tuner" / "trial_0" / "trial.json").read_text())
        assert trial.get_state() == kept
