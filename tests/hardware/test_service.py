"""Errors of the service, made by the client's own classes; no network."""

import stat
from types import SimpleNamespace

import pytest
import requests
from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError, IBMRuntimeError

from qssl_tf.errors import UserError
from qssl_tf.hardware import service
from qssl_tf.hardware.service import close_account_file, real_backend, told_apart


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

    def backend(self, name):
        return SimpleNamespace(name=name, status=lambda: self.status)


def test_backends_are_found_refused_or_paused():
    assert real_backend("ibm_fez", Client("active")).name == "ibm_fez"
    with pytest.raises(
        UserError, match="`backend` must be one of .*ibm_torino.*; got 'ibm_torin'. Did you mean 'ibm_torino'?"
    ):
        real_backend("ibm_torin", Client("active"))
    with pytest.raises(UserError, match="`backend` ibm_fez is paused; wait, or take --backend least_busy."):
        real_backend("ibm_fez", Client("paused"))
