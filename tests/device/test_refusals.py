"""What IBM Quantum refuses, whole sentences: Qiskit's own client meets the answers on a port of this machine.

Codes and words are those of https://quantum.cloud.ibm.com/docs/errors and of answers that users of the client posted.
"""

import json

import numpy as np
import pytest
from judges.fake_ibm import CRN, DEVICE, PROPERTIES, TOKEN, WELL
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qssl_tf.device.backends import Device
from qssl_tf.device.jobs import run_jobs
from qssl_tf.device.ledger import Ledger
from qssl_tf.device.refusals import SAVE
from qssl_tf.device.service import answers, overheard, real_backend, service, warned
from qssl_tf.errors import UserError

JOBS, DEVICES = "quantum POST /api/v1/jobs", "quantum GET /api/v1/backends"
PLAN = (
    "look on its site at the plan of the account's instance and the time left in it, or save the account with another "
    "`instance`."
)
ITS_SIDE = "the fault is on its side: see its status page for maintenance, and go on later."
NEW_TOKEN = f"save a new one with {SAVE}."
CIRCUIT = QuantumCircuit(5)
CIRCUIT.measure_all()


def error(code, message, **more):
    """The body of an answer that refuses something."""
    return {"errors": [{"code": code, "message": message, **more}], "trace": "5a1"}


def submitted(backend):
    """Submit a job as a device run does."""
    sampler = Device(DEVICE, backend, is_local=False).sampler(0)
    with answers():
        return sampler.run([(CIRCUIT, None, 10)])


def sentence(call, *given):
    with pytest.raises(UserError) as caught:
        call(*given)
    assert TOKEN not in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def test_where_nothing_is_wrong_a_job_is_submitted(ibm):
    assert real_backend("least_busy").name == DEVICE
    assert submitted(real_backend(DEVICE)).job_id() == "job1"
    assert ibm.asked.count(JOBS) == 1


OPEN_PLAN = error(
    4317,
    "Job create exceeds open plan job usage limits",
    solution="Please wait until the beginning of next month to submit more jobs when your quota will reset.",
    more_info="https://docs.quantum-computing.ibm.com/errors",
)
SUBMITTING = [
    (
        403,
        OPEN_PLAN,
        "IBM Quantum answered: Job create exceeds open plan job usage limits (error code 4317). Please wait "
        "until the beginning of next month to submit more jobs when your quota will reset.",
    ),
    (
        403,
        error(4317, "You have exceeded your monthly quota."),
        "IBM Quantum answered: You have exceeded your monthly quota "
        "(error code 4317); wait until the plan's minutes are renewed, or take an instance of another plan.",
    ),
    (
        400,
        error(3458, "You have reached the maximum number of pending jobs."),
        "IBM Quantum answered: You have reached the "
        "maximum number of pending jobs (error code 3458); wait until one of your jobs has ended, then go on with "
        "--resume.",
    ),
    (
        400,
        error(1208, "Request validation of body failed, because: no field params."),
        "IBM Quantum answered: Request "
        "validation of body failed, because: no field params (error code 1208); it does not take this request; its "
        "list of "
        "error codes says more.",
    ),
    (
        401,
        error(1201, "Invalid credentials."),
        f"IBM Quantum refused the account's token (Invalid credentials); {NEW_TOKEN}",
    ),
    (401, {}, f"IBM Quantum refused the account's token; {NEW_TOKEN}"),
    (
        403,
        error(1200, "You are not authorized to perform this action."),
        f"IBM Quantum answered: You are not authorized to perform this action (error code 1200); {PLAN}",
    ),
    (
        403,
        "<!DOCTYPE html>\n<title>Attention Required! | Cloudflare</title>",
        f"IBM Quantum answered: 403 Forbidden; {PLAN}",
    ),
    (
        404,
        error(1279, "Instance not found"),
        "IBM Quantum answered: Instance not found (error code 1279); save the account "
        "with another `instance`, or with none, so that all are searched; an instance is known in its own "
        "region alone.",
    ),
    (
        404,
        error(1007, "Backend not found."),
        "IBM Quantum answered: Backend not found (error code 1007); look on its site "
        "whether this account, instance and region are those that have it.",
    ),
    (409, {}, "IBM Quantum answered: 409 Conflict; look with `qssl device --status` what has become of the job."),
    (413, "", "IBM Quantum answered: 413 Request Entity Too Large; start a new device run with fewer --job-rows."),
    (
        423,
        error(1244, "The instance is locked."),
        "IBM Quantum answered: The instance is locked (error code 1244); wait until "
        "it is unlocked, or save the account with another `instance`.",
    ),
    (
        429,
        error(1202, "Too many POST jobs requests received: limit is 5 per minute."),
        "IBM Quantum answered: Too many POST "
        "jobs requests received: limit is 5 per minute (error code 1202); wait a minute, then go on with --resume.",
    ),
    (500, error(1000, "API Internal error."), f"IBM Quantum answered: too many 500 error responses; {ITS_SIDE}"),
    (
        503,
        error(1999, "Planned outage. The service is undergoing maintenance."),
        f"IBM Quantum answered: too many 503 error responses; {ITS_SIDE}",
    ),
    (
        501,
        error(1999, "Planned outage. The service is undergoing maintenance."),
        f"IBM Quantum answered: Planned outage. The service is undergoing maintenance (error code 1999); {ITS_SIDE}",
    ),
    (
        200,
        "<html>Log in to the hotel's network</html>",
        "what came back is no answer of IBM Quantum; check whether a login "
        "page or a firewall of the network stands between, and try again.",
    ),
    (
        403,
        error(1200, f"apikey {TOKEN} may not"),
        f"IBM Quantum answered: apikey (token) may not (error code 1200); {PLAN}",
    ),
]


@pytest.mark.parametrize(("status", "body", "told"), SUBMITTING)
def test_what_is_said_to_a_submitted_job(ibm, status, body, told):
    backend = real_backend(DEVICE)
    ibm.says(JOBS, status, body)
    assert sentence(submitted, backend) == told


UNKNOWN_KEY = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
OPENING = [
    (
        "iam POST /identity/token",
        400,
        UNKNOWN_KEY,
        f"IBM Quantum refused the account's token (Provided API key could not be found); {NEW_TOKEN}",
    ),
    (
        "search POST /v3/resources/search",
        503,
        {"message": "Service Unavailable"},
        f"IBM Quantum answered: Service Unavailable; {ITS_SIDE}",
    ),
    (
        "search POST /v3/resources/search",
        429,
        {"message": "Too many requests"},
        "IBM Quantum answered: Too many requests; wait a minute, then go on with --resume.",
    ),
    (
        "search POST /v3/resources/search",
        200,
        {"items": []},
        "IBM Quantum answered: No matching instances found for the following filters: ; choose otherwise, or look "
        "on its site "
        "which instances this account has (a new one has none) and save it with one of those.",
    ),
    (
        DEVICES,
        403,
        error(1200, "You are not authorized to perform this action."),
        f"IBM Quantum answered: You are not authorized to perform this action (error code 1200); {PLAN}",
    ),
    (
        DEVICES,
        404,
        error(1279, "Instance not found"),
        "IBM Quantum answered: Instance not found (error code 1279); save the account with another `instance`, or "
        "with none, so that all are searched; an instance is known in its own region alone.",
    ),
    (DEVICES, 503, error(1999, "Planned outage."), f"IBM Quantum answered: too many 503 error responses; {ITS_SIDE}"),
    (
        f"{DEVICES}/{DEVICE}/configuration",
        403,
        error(1200, "You are not authorized to perform this action."),
        f"IBM Quantum answered: You are not authorized to perform this action (error code 1200); {PLAN}",
    ),
    (
        f"{DEVICES}/{DEVICE}/status",
        404,
        error(1007, "Backend not found."),
        "IBM Quantum answered: Backend not found (error code 1007); look on its site whether this account, instance "
        "and region "
        "are those that have it.",
    ),
    (
        f"{DEVICES}/{DEVICE}/status",
        200,
        {"state": True, "status": "paused", "length_queue": 0},
        f"`backend` {DEVICE} runs no jobs now, its status is 'paused'; wait, or take `backend='least_busy'`.",
    ),
    (
        f"{DEVICES}/{DEVICE}/status",
        200,
        {"state": False, "status": "maintenance", "length_queue": 0},
        f"`backend` {DEVICE} runs no jobs now, its status is 'maintenance'; wait, or take `backend='least_busy'`.",
    ),
]


@pytest.mark.parametrize(("request_word", "status", "body", "told"), OPENING)
def test_what_is_said_while_a_device_is_looked_for(ibm, request_word, status, body, told):
    ibm.says(request_word, status, body)
    assert sentence(real_backend, DEVICE) == told


def test_without_any_device_the_reason_is_what_the_client_passed_over(ibm):
    ibm.says(
        DEVICES, 200, {"devices": [{"name": DEVICE, "status": {"name": "offline"}, "queue_length": 0, "qubits": 5}]}
    )
    nothing = (
        "IBM Quantum answered: No backend matches the criteria; take another `backend`, or save the account with "
        "another "
        "`instance`, or with none, so that all are searched."
    )
    assert sentence(real_backend, "least_busy") == nothing
    ibm.says(DEVICES, 403, error(1200, "You are not authorized to perform this action."))
    refused = "IBM Quantum answered: You are not authorized to perform this action (error code 1200); "
    assert sentence(real_backend, "least_busy") == refused + PLAN


def test_an_instance_of_another_account_is_told(ibm, monkeypatch):
    other = CRN.replace("11111111", "99999999")
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", other)
    assert sentence(service) == (
        "IBM Quantum answered: The given API token is associated with an account that does not have access to the "
        "instance "
        f"{other}. To use this instance, use an API token generated from the account with this instance available; "
        f"choose "
        "otherwise, or look on its site which instances this account has (a new one has none) and save it with one "
        "of those."
    )


def saved(path, **entries):
    """Save an account as the client keeps it."""
    account = {"channel": "ibm_quantum_platform", "token": TOKEN, "url": "http://cloud.test"} | entries
    path.write_text(json.dumps({"default-ibm-quantum-platform": account}))
    path.chmod(0o600)


def test_a_saved_account_with_a_wrong_region_is_told(ibm, monkeypatch, tmp_path):
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    saved(tmp_path / "accounts.json", region="mars")
    assert sentence(service) == (
        "IBM Quantum answered: Invalid `region` value. Expected `us-east` or `eu-de`, got 'mars' instead; save the "
        "account "
        f"anew, as in {SAVE}."
    )


def test_a_token_that_is_no_text_is_not_shown(ibm, monkeypatch, tmp_path):
    """The client quotes it in its message."""
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    saved(tmp_path / "accounts.json", token=31415926535)
    assert sentence(service) == (
        "IBM Quantum answered: Invalid `token` value. Expected a non-empty string, got '(token)'; save the account "
        "anew, "
        f"as in {SAVE}."
    )


def test_no_output_shows_the_token(ibm, capfd, caplog):
    for request_word, status, body, _ in OPENING:
        ibm.answers.clear()
        ibm.says(request_word, status, body)
        with pytest.raises(UserError):
            real_backend(DEVICE)
    shown = capfd.readouterr()
    assert TOKEN not in shown.out + shown.err + caplog.text


def test_a_service_that_is_gone_is_no_bad_token(ibm):
    ibm.server.server_close()
    assert sentence(service) == "IBM Quantum cannot be reached; check the network and try again."


def test_a_job_that_is_not_there_or_has_ended_is_told(ibm):
    client = service()
    job = client.job("job1")

    def found(job_id):
        with answers():
            return client.job(job_id)

    def cancelled():
        with answers():
            job.cancel()

    ibm.says("quantum GET /api/v1/jobs/job2", 404, error(1291, "Job not found. Job ID: job2"))
    assert sentence(found, "job2") == (
        "IBM Quantum answered: Job not found. Job ID: job2 (error code 1291); the job is of another account or "
        "instance, or was "
        "deleted there."
    )
    ibm.says("quantum POST /api/v1/jobs/job1/cancel", 409, error(1308, "Job is not cancellable."))
    assert sentence(cancelled) == (
        "IBM Quantum answered: Job is not cancellable (error code 1308); look with `qssl device --status` what has "
        "become of "
        "the job."
    )


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (
            {"usage_limit_seconds": 600, "usage_consumed_seconds": 612},
            "This instance has met its usage limit. Workloads will not run until time ismade available.",
        ),
        (
            {"usage_allocation_seconds": 600, "usage_consumed_seconds": 40},
            "There is currently no more time available for this instance's plan on the account. "
            "Workloads will not run until time is made available.",
        ),
    ],
)
def test_minutes_that_are_used_up_are_told_where_the_job_is_taken(ibm, usage, told):
    """The service takes such a job and leaves it in the queue; the client warns, in these words."""
    backend, lines = real_backend(DEVICE), []
    ibm.says("quantum GET /api/v1/instances/usage", 200, {"usage_limit_reached": True} | usage)
    with warned(lines.append):
        assert submitted(backend).job_id() == "job1"
    assert len(lines) == 1 and lines[0].startswith(
        f"IBM Quantum warns: {told} Check https://quantum.cloud.ibm.com/instances/"
    )


def test_only_errors_that_the_client_passes_over_are_overheard(ibm):
    with overheard() as errors:
        service()
    assert errors == {}
    ibm.says(DEVICES, 403, {})
    with overheard() as errors:
        service()
    assert list(errors) == [CRN] and errors[CRN].status_code == 403


def test_a_real_devices_calibration_tells_both_readout_errors_apart(ibm):
    calibrated = [{entry["name"]: entry["value"] for entry in qubit} for qubit in PROPERTIES["qubits"]]
    right = [calibrated[place]["prob_meas0_prep1"] - calibrated[place]["prob_meas1_prep0"] for place in (4, 1)]
    assert Device(DEVICE, real_backend(DEVICE), False).readout_shift([4, 1]) == pytest.approx(right)
    ibm.says(f"{DEVICES}/{DEVICE}/properties", 403, error(1200, "You are not authorized to perform this action."))
    refused = "IBM Quantum answered: You are not authorized to perform this action (error code 1200); "
    assert sentence(Device(DEVICE, real_backend(DEVICE), False).readout_shift, [4]) == refused + PLAN


def test_a_device_run_goes_on_where_a_submission_was_refused(ibm, tmp_path, settings):
    """The plan's minutes are used up, the next day they are not: the job is looked for, and submitted then."""
    rows = np.zeros((1, 1))
    circuit = QuantumCircuit(5)
    circuit.rz(Parameter("x"), 0)
    circuit.measure_all()
    ledger = Ledger.create(tmp_path / "run", settings(qubits=5), [circuit], {"rows": rows}, [[0]])
    device, client = Device(DEVICE, real_backend(DEVICE), False), service()
    ibm.says(JOBS, *SUBMITTING[0][:2])
    assert sentence(run_jobs, ledger, device, print, client) == SUBMITTING[0][2]
    assert Ledger.open(ledger.folder).record["jobs"][0]["state"] == "submitting"
    ibm.answers.clear()
    jobs_of("Failed", ibm)
    with pytest.raises(UserError, match=r"^job job1 ended as error \(Qubit 3 is away\); submit it again with "):
        run_jobs(Ledger.open(ledger.folder), device, print, client)
    assert "quantum GET /api/v1/jobs" in ibm.asked and ibm.asked.count(JOBS) == 2


def jobs_of(status, ibm):
    """Let the service's job be in a state."""
    job = WELL["quantum GET /api/v1/jobs/job1"] | {"state": {"status": status, "reason": "Qubit 3 is away."}}
    ibm.says("quantum GET /api/v1/jobs/job1", 200, job)
    ibm.says("quantum GET /api/v1/jobs/job1/results", 200, "")
