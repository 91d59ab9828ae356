"""Errors of the service, made by the client's own classes; no network."""

import stat
from types import SimpleNamespace

import pytest
import requests
from ibm_cloud_sdk_core import ApiException
from qiskit_ibm_runtime.accounts import InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError, IBMRuntimeError, RuntimeJobNotFound

from qssl_tf.device import service
from qssl_tf.device.service import answers, close_account_file, real_backend, told_apart
from qssl_tf.errors import UserError


def test_a_missing_network_is_no_bad_token():
    """The client reports both as an invalid account."""
    try:
        try:
            raise requests.exceptions.ConnectionError("name resolution")
        except requests.exceptions.ConnectionError as cause:
            raise IBMNotAuthorizedError("invalid account") from cause
    except IBMNotAuthorizedError as error:
        assert str(told_apart(error)) == "IBM Quantum cannot be reached; check the network and try again."
    assert "refused the account's token" in str(told_apart(IBMNotAuthorizedError("login failed")))
    assert str(told_apart(IBMRuntimeError("maintenance"))).startswith("IBM Quantum answered: ")


def response(status):
    made = requests.Response()
    made.status_code = status
    return made


def chained(error, cause):
    """An error raised from another, as the client does."""
    error.__cause__ = cause
    return error


REFUSED, ANSWERED, AWAY = "refused the account's token", "IBM Quantum answered: ", "cannot be reached"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RequestsApiError("429 Client Error. Usage limit of 401 s reached, Error code: 4010.", 429), ANSWERED),
        (RuntimeJobNotFound("Job not found: 'd401xyz'"), ANSWERED),
        (IBMRuntimeError("instance crn:v1:401 has no seconds left"), ANSWERED),
        (RequestsApiError("Forbidden for url", 403), ANSWERED),
        (RequestsApiError("Unauthorized for url", 401), REFUSED),
        (chained(IBMRuntimeError("Failed to run program"), RequestsApiError("Client Error", 401)), REFUSED),
        (chained(IBMRuntimeError("Failed"), requests.HTTPError("Client Error", response=response(401))), REFUSED),
        (chained(InvalidAccountError("Unable to retrieve instances."), ApiException(400)), REFUSED),
        (chained(InvalidAccountError("Unable to retrieve instances."), ApiException(503)), ANSWERED),
        (chained(InvalidAccountError("Unable to retrieve instances."), ApiException(429)), ANSWERED),
        (chained(InvalidAccountError("Unable"), requests.exceptions.ReadTimeout("read timed out")), AWAY),
        (chained(RequestsApiError("Max retries"), requests.exceptions.ProxyError("proxy")), AWAY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_errors_are_told_apart_by_kind_and_status(error, sentence):
    assert sentence in str(told_apart(error))


def test_whatever_asks_the_service_ends_in_one_line():
    with pytest.raises(UserError, match="IBM Quantum cannot be reached; check the network and try again."), answers():
        raise requests.exceptions.ConnectionError("gone")
    with pytest.raises(UserError, match="^as it is$"), answers():
        raise UserError("as it is")


def test_no_account_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_CHANNEL", "QISKIT_IBM_INSTANCE"):
        monkeypatch.delenv(name, raising=False)
    place = "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE"
    monkeypatch.setattr(place, str(tmp_path / "none.json"))
    with pytest.raises(UserError, match="there is no IBM Quantum account; save one with"):
        service.service()


def test_the_token_file_is_closed_to_others(tmp_path):
    path = tmp_path / "account.json"
    path.write_text("{}")
    path.chmod(0o644)
    close_account_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    close_account_file(tmp_path / "none.json")


class Client:
    def __init__(self, status):
        self.status = SimpleNamespace(operational=status == "active", status_msg=status)

    def backends(self):
        return [SimpleNamespace(name="ibm_torino"), SimpleNamespace(name="ibm_fez")]

    def backend(self, name, use_fractional_gates):
        return SimpleNamespace(name=name, status=lambda: self.status)


def test_backends_are_found_refused_or_paused():
    assert real_backend("ibm_fez", Client("active")).name == "ibm_fez"
    with pytest.raises(
        UserError, match="`backend` must be one of .*ibm_torino.*; got 'ibm_torin'. Did you mean 'ibm_torino'?"
    ):
        real_backend("ibm_torin", Client("active"))
    with pytest.raises(
        UserError,
        match="`backend` ibm_fez runs no jobs now, its status is 'paused'; wait, or take `backend='least_busy'`.",
    ):
        real_backend("ibm_fez", Client("paused"))
