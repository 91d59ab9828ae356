"""IBM Quantum's service: the only module that reaches the network. Tokens are never printed or written."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, pass_on_interrupt
from qssl_tf.files.read import named, read_json

CHANNEL = "ibm_quantum_platform"
ACCOUNT_FILE = (
    Path(os.path.expanduser("~")) / ".qiskit" / "qiskit-ibm.json"
)  # as the client has it, also without a home
SAVE = f'QiskitRuntimeService.save_account(channel="{CHANNEL}", token="...")'


def service() -> Any:
    """Return the service, by the saved account or the environment (QISKIT_IBM_TOKEN).

    Raises:
        UserError: No account, a token that is refused, or no network; each is told apart.
    """
    from qiskit_ibm_runtime import QiskitRuntimeService
    from qiskit_ibm_runtime.accounts import AccountNotFoundError

    close_account_file(ACCOUNT_FILE)
    with answers():
        try:
            return QiskitRuntimeService(channel=CHANNEL)
        except AccountNotFoundError:
            raise UserError(
                f"there is no IBM Quantum account; save one with {SAVE}, or set QISKIT_IBM_TOKEN."
            ) from None


@contextmanager
def answers() -> Iterator[None]:
    """Turn what the client raises inside into the user's error; whatever asks the service stands in this."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the client raises many kinds, and one of them for two causes
        raise told_apart(error) from None


def told_apart(error: BaseException) -> UserError:
    """Return the user's error for what the client raised, by its kind and HTTP status, never by its words.

    The client calls a missing network a bad token, and texts of every kind hold numbers.
    """
    import requests
    from qiskit_ibm_runtime.accounts import InvalidAccountError
    from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

    pass_on_interrupt(error)
    chain = list(_causes(error))
    if any(isinstance(e, (requests.ConnectionError, requests.Timeout, ConnectionError)) for e in chain):
        return UserError("IBM Quantum cannot be reached; check the network and try again.")
    statuses = [status for e in chain if (status := _http_status(e)) is not None]
    refused = 401 in statuses or any(isinstance(e, (IBMNotAuthorizedError, InvalidAccountError)) for e in chain)
    if refused and not any(status == 429 or status >= 500 for status in statuses):  # too many requests, a fault there
        return UserError(f"IBM Quantum refused the account's token; save a new one with {SAVE}.")
    words = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(f"IBM Quantum answered: {words[0].rstrip('.')}; see its status page, or try again later.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _http_status(error: BaseException) -> int | None:
    """Return the status of the response that an error stands for: of the client, of requests, or of IBM's cloud."""
    for bearer in (error, getattr(error, "response", None)):
        status = getattr(bearer, "status_code", None)
        if isinstance(status, int) and status > 0:  # the client writes -1 where there is none
            return status
    return None


def open_to_others(path: Path) -> bool:
    """Return whether other users may read the file that holds the token; the client writes it readable to all."""
    return path.exists() and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def saved_accounts(path: Path = ACCOUNT_FILE) -> dict[str, str]:
    """Return name and channel of each saved account, without its token.

    Raises:
        OSError, ValueError: The file cannot be read.
    """
    if not path.exists():
        return {}
    accounts = read_json(named(path))
    if not isinstance(accounts, dict):
        raise ValueError("it holds no accounts")
    return {str(name): str(entry.get("channel", "?")) for name, entry in accounts.items() if isinstance(entry, dict)}


def close_account_file(path: Path) -> None:
    """Take everybody else's permissions off the file that holds the token."""
    if open_to_others(path):
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def real_backend(name: str, client: Any = None, fractional: bool = False) -> Any:
    """Return a device of IBM Quantum; `least_busy` is the one with the shortest queue.

    Args:
        name: The device's.
        client: The service; None opens it.
        fractional: Whether RX and RZZ are among its gates, where it has them.

    Raises:
        UserError: It does not exist (the nearest names are given) or is paused.
    """
    client = client or service()
    with answers():
        if name == "least_busy":
            name = client.least_busy(operational=True, simulator=False).name
        names = [one.name for one in client.backends()]
        if name not in names:
            from qssl_tf.errors import unknown_name

            raise unknown_name("backend", name, ["aer", "fake_paris", "least_busy", *names])
        # The client's None is both: fractional gates and control flow.
        backend = client.backend(name, use_fractional_gates=None if fractional else False)
        status = backend.status()
    check_operational(name, status)
    return backend


def seconds_left(client: Any) -> float | None:
    """Return how many seconds of device time the account has left in this period; None where it has no limit."""
    with answers():
        usage = client.usage()
    left = usage.get("usage_remaining_seconds")
    return None if left is None else float(left)


def billed_seconds(job: Any) -> float | None:
    """Return how many seconds a finished job was billed; None where the service does not say it yet."""
    try:
        return float(job.usage()) or None
    except Exception as error:  # the result is there, and worth more than its price
        pass_on_interrupt(error)
        return None


def check_operational(name: str, status: Any) -> None:
    """Refuse a device that runs no jobs now.

    Raises:
        UserError: It says what the device is instead.
    """
    if not status.operational or status.status_msg == "paused":
        raise UserError(f"`backend` {name} is {status.status_msg}; wait, or take {argument('backend', 'least_busy')}.")
