"""Real devices' jobs: Qiskit's own RuntimeJobV2 over a client of two methods; no network."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorSampler
from qiskit_ibm_runtime import RuntimeJobV2
from qiskit_ibm_runtime.json import RuntimeEncoder

from qssl_tf.device import jobs
from qssl_tf.device.backends import Device
from qssl_tf.device.jobs import cancel_jobs, collected, row_shots, run_jobs
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.results import billed
from qssl_tf.errors import UserError

ROWS = np.array([[0.0], [np.pi], [0.0], [np.pi], [0.0]])
MEMBERS = np.array([[1.0]])


class Server:
    """IBM's side: jobs with their tags, states and results; also the client's two methods."""

    def __init__(self, states=("Queued", "Running", "Completed")):
        self.states, self.submitted, self.seen, self.reason, self.cancelled = states, {}, {}, None, []
        self.code = None

    def job_get(self, job_id, exclude_params=True):
        seen = self.seen[job_id] = self.seen.get(job_id, -1) + 1
        status = self.states[min(seen, len(self.states) - 1)]
        return {"state": {"status": status, "reason": self.reason, "reason_code": self.code}, "status": status}

    def job_results(self, job_id):
        return json.dumps(self.submitted[job_id][1], cls=RuntimeEncoder)

    def job_cancel(self, job_id):
        self.cancelled.append(job_id)

    # The service's part that the package uses.
    def job(self, job_id):
        return RuntimeJobV2(SimpleNamespace(_instance=None), self, job_id, "sampler", service=None)

    def jobs(self, job_tags, limit):
        return [self.job(job_id) for job_id, (tags, _) in self.submitted.items() if set(tags) & set(job_tags)][:limit]


class Device3(Device):
    """A device whose sampler hands circuits to the server."""

    def sampler(self, seed, suppression=()):
        server = self.backend
        sampler = SimpleNamespace(options=SimpleNamespace(environment=SimpleNamespace(job_tags=None)))

        def run(pubs):
            job_id = f"job{len(server.submitted)}"
            server.submitted[job_id] = (sampler.options.environment.job_tags, StatevectorSampler().run(pubs).result())
            if getattr(server, "dies", False):
                raise KeyboardInterrupt  # the process ends after the server took the job
            return server.job(job_id)

        sampler.run = run
        return sampler


@pytest.fixture
def ledger(tmp_path, monkeypatch, settings):
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(jobs.wait, "__defaults__", (0.0,))
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("x_000"), 0)
    circuit.measure_all()
    return Ledger.create(
        tmp_path / "one", settings(qubits=1, shots=20, seed=0), [circuit], {"rows": ROWS}, [[0, 1, 2], [0, 3, 4]]
    )


def test_jobs_are_queued_waited_for_and_kept(ledger):
    server, lines = Server(), []
    run_jobs(ledger, Device3("ibm_x", server, False), lines.append, client=server)
    assert [entry["id"] for entry in ledger.record["jobs"]] == ["job0", "job1"]
    assert lines[:4] == ["job job0: queued", "job job0: running", "job job0: done", "job 1/2 done"]
    np.testing.assert_allclose(collected(ledger, MEMBERS)[0][:, 0], np.cos(ROWS[:, 0]))  # row 0 is in both
    run_jobs(ledger, Device3("ibm_x", server, False), lines.append, client=server)
    assert len(server.submitted) == 2


def test_a_job_submitted_by_a_process_that_died_is_found_by_its_tag(ledger):
    server = Server()
    server.dies = True
    with pytest.raises(KeyboardInterrupt):
        run_jobs(ledger, Device3("ibm_x", server, False), print, client=server)
    again = Ledger.open(ledger.folder)
    assert again.record["jobs"][0]["id"] is None and again.record["jobs"][0]["state"] == "submitting"
    server.dies = False
    run_jobs(again, Device3("ibm_x", server, False), print, client=server)
    assert sorted(server.submitted) == ["job0", "job1"]  # none twice
    assert again.missing() == []


def test_a_failed_job_says_why_and_is_submitted_again(ledger):
    server = Server(states=("Queued", "Failed"))
    server.reason = "qubit 3 is away"
    with pytest.raises(UserError) as caught:
        run_jobs(ledger, Device3("ibm_x", server, False), print, client=server)
    again = f"submit it again with qssl device {ledger.folder.parent.parent} --resume one."
    assert str(caught.value) == f"job job0 ended as error (qubit 3 is away); {again}"
    server.states = ("Completed",)
    run_jobs(Ledger.open(ledger.folder), Device3("ibm_x", server, False), print, client=server)
    assert len(server.submitted) == 3  # the second was waiting all the time
    assert Ledger.open(ledger.folder).missing() == []


def test_a_traceback_of_the_service_is_its_last_line(ledger, monkeypatch):
    """Without a reason the client takes what the service's program wrote."""
    server = Server(states=("Failed",))
    wrote = 'Loading\nTraceback (most recent call last):\n  File "main.py", line 3\nMemoryError: no room\n'
    monkeypatch.setattr(server, "job_results", lambda job_id: wrote)
    again = f"submit it again with qssl device {ledger.folder.parent.parent} --resume one."
    with pytest.raises(UserError) as caught:
        run_jobs(ledger, Device3("ibm_x", server, False), print, client=server)
    assert str(caught.value) == f"job job0 ended as error (MemoryError: no room); {again}"


def test_a_job_that_takes_too_long_is_not_submitted_again_as_it_is(ledger):
    """The service stops it with code 1305, as a cancelled job or a failed one; the client tells both by one class."""
    for status in ("Failed", "Cancelled"):
        server = Server(states=(status,))
        server.reason, server.code = "Job exceeded the maximum execution time.", 1305
        with pytest.raises(UserError) as caught:
            run_jobs(Ledger.open(ledger.folder), Device3("ibm_x", server, False), print, client=server)
        assert str(caught.value) == (
            "job job0 ended as error (Error code 1305; Job exceeded the maximum execution time); it would again, so "
            "start a new device run with fewer --job-rows or --shots."
        )
        again = Ledger.open(ledger.folder)
        again.note(1, id=None)  # the second is of another server in the next turn


def test_what_came_back_is_used_and_counts_by_its_number(ledger):
    """Twirling returned 24 shots a row in one job, another 20; a row of both is the mean over all 44."""
    server, lines = Server(states=("Completed",)), []
    shots = iter([24, 20])

    class Rounding(Device3):
        def sampler(self, seed, suppression=()):
            sampler = super().sampler(seed)
            run, count = sampler.run, next(shots)
            sampler.run = lambda pubs: run([(circuit, values, count) for circuit, values, _ in pubs])
            return sampler

    values = np.array([[0.0], [np.pi / 2], [np.pi], [0.0], [0.0]])
    folder, rows = ledger.folder.parent / "two", [[0, 1, 2], [1, 3, 4]]
    again = Ledger.create(folder, ledger.record, ledger.circuits(), {"rows": values}, rows)
    run_jobs(again, Rounding("ibm_x", server, False), lines.append, client=server)
    assert "job 1/2 done; 24 shots came back for each row, 20 were asked for" in lines and lines[-1] == "job 2/2 done"
    opened = Ledger.open(again.folder)  # nothing is taken as damaged
    np.testing.assert_array_equal(row_shots(opened), [24, 44, 24, 20, 20])
    ones = [opened.packed(number)[0][place].sum() for number, place in ((0, 1), (1, 0))]  # of row 1
    assert collected(opened, MEMBERS)[0][1, 0] == pytest.approx(1 - 2 * sum(ones) / 44)


def test_circuits_of_a_job_may_come_back_with_unequal_shots(ledger, settings):
    """Two circuits, two jobs, four numbers of shots, and row 0 in both jobs: the judge counts bits with NumPy alone."""
    folder, rng = ledger.folder.parent / "three", np.random.default_rng(7)
    record = settings(qubits=1, shots=20, seed=0, mitigation="zne")
    again = Ledger.create(folder, record, ledger.circuits() * 2, {"rows": ROWS}, [[0, 1, 2], [0, 3, 4]])
    counts = [(64, 96), (20, 128)]
    bits = [[rng.integers(0, 2, (3, shots, 1), dtype=np.uint8) for shots in job] for job in counts]
    for number, arrays in enumerate(bits):
        again.keep(number, arrays)
    opened = Ledger.open(folder)
    np.testing.assert_array_equal(row_shots(opened, 0), [84, 64, 64, 20, 20])
    np.testing.assert_array_equal(row_shots(opened, 1), [224, 96, 96, 128, 128])
    for circuit, found in enumerate(collected(opened, MEMBERS)):
        first, second = bits[0][circuit], bits[1][circuit]
        both = np.concatenate([first[0], second[0]])
        judge = [1 - 2 * np.mean(shots) for shots in (both, first[1], first[2], second[1], second[2])]
        np.testing.assert_allclose(found[:, 0], judge)


def test_a_network_lost_while_cancelling_or_looking_for_a_job_is_one_line(ledger, monkeypatch):
    server = Server(states=("Queued",))
    device = Device3("ibm_x", server, False)
    jobs._submit(ledger, device, server, 0, ledger.circuits(), ROWS)
    ledger.note(1, state="submitting")

    def lost(*given, **named):
        raise requests.exceptions.ConnectionError("gone")

    monkeypatch.setattr(server, "job_cancel", lost)
    monkeypatch.setattr(server, "jobs", lost)
    for call in (
        lambda: cancel_jobs(ledger, server),
        lambda: jobs._submit(ledger, device, server, 1, ledger.circuits(), ROWS),
    ):
        with pytest.raises(UserError, match="^IBM Quantum cannot be reached; check the network and try again.$"):
            call()
    assert [entry["state"] for entry in ledger.record["jobs"]] == ["submitted", "submitting"]


def test_a_network_lost_while_waiting_leaves_the_job(ledger, monkeypatch):
    server = Server()
    device = Device3("ibm_x", server, False)

    def lost(job_id):
        raise requests.exceptions.ConnectionError("gone")

    monkeypatch.setattr(server, "job_results", lost)
    with pytest.raises(UserError) as caught:
        run_jobs(ledger, device, print, client=server)
    assert str(caught.value) == (
        "IBM Quantum cannot be reached; check the network and try again; the job goes on, fetch it with "
        f"qssl device {ledger.folder.parent.parent} --resume one."
    )
    monkeypatch.undo()
    monkeypatch.setattr(jobs.wait, "__defaults__", (0.0,))
    run_jobs(Ledger.open(ledger.folder), device, print, client=server)
    assert sorted(server.submitted) == ["job0", "job1"]


def test_waiting_jobs_are_cancelled(ledger):
    server = Server(states=("Queued",))
    for number in range(2):
        jobs._submit(ledger, Device3("ibm_x", server, False), server, number, ledger.circuits(), ROWS)
    ledger.keep(0, [np.zeros((3, 20, 1), np.uint8)])
    assert cancel_jobs(ledger, server) == 1
    assert server.cancelled == ["job1"]
    assert ledger.record["jobs"][1] | {"tag": ""} == {"rows": [0, 3, 4], "tag": "", "id": None, "state": "cancelled"}


def test_what_was_billed_is_kept_and_never_costs_a_result(ledger):
    """By the client's own reading of a job's metadata; the network is lost after the first result."""

    class Billing(Server):
        def job_metadata(self, job_id):
            return {"usage": {"status": "completed", "seconds": 12, "qpu_charge_time_seconds": 12}}

        def job(self, job_id):
            if self.submitted and ledger.path(1).exists():
                raise requests.ConnectionError("gone")
            return super().job(job_id)

    run_jobs(ledger, Device3("ibm_x", server := Billing(), False), print, client=server)
    assert [entry["billed"] for entry in ledger.record["jobs"]] == [12, None] and ledger.missing() == []
    assert billed(ledger.record) is None
    ledger.note(1, billed=8)
    assert billed(Ledger.open(ledger.folder).record) == 20
