"""IBM Quantum's service: the only module that reaches the network. Tokens are never printed or written."""

import logging
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.device.refusals import CHANNEL, SAVE, refusal, shown_without
from qssl_tf.errors import UserError, pass_on_interrupt, unknown_name
from qssl_tf.files.read import named, read_json

ACCOUNT_FILE = (
    Path(os.path.expanduser("~")) / ".qiskit" / "qiskit-ibm.json"
)  # as the client has it, also without a home


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
    """Return the user's error for what the client raised, by its kind, HTTP status and error code; no token in it."""
    pass_on_interrupt(error)
    return refusal(error, _tokens())


def _tokens() -> list[str]:
    """Return the tokens that the client may have used, so that no message shows one."""
    try:
        kept = [entry.get("token") for entry in read_json(named(ACCOUNT_FILE)).values()]
    except Exception as error:  # a missing or damaged file holds none
        pass_on_interrupt(error)
        kept = []
    return [str(token) for token in (os.environ.get("QISKIT_IBM_TOKEN"), *kept) if token]


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
        UserError: It does not exist (the nearest names are given), is paused, or cannot be had, with the reason.
    """
    with answers(), overheard() as errors:
        client = client or service()
        if name == "least_busy":
            name = _least_busy(client, errors).name
        names = [one.name for one in client.backends()]
        if name not in names and (name in errors or (errors and not names)):
            raise errors[name] if name in errors else list(errors.values())[-1]
        if name not in names:
            raise unknown_name("backend", name, ["aer", "fake_paris", "least_busy", *names])
        # The client's None is both: fractional gates and control flow.
        backend = client.backend(name, use_fractional_gates=None if fractional else False)
        status = backend.status()
    check_operational(name, status)
    return backend


def seconds_left(client: Any) -> float | None:
    """Return how many seconds of device time the account has left in this period; None where it has no limit."""
    with answers():
        left = client.usage().get("usage_remaining_seconds")
        return None if left is None else float(left)


def billed_seconds(client: Any, job_id: str) -> float | None:
    """Return how many seconds a finished job was billed; None where the service does not say it yet."""
    try:
        return float(client.job(job_id).usage()) or None
    except Exception as error:  # the result is there, and worth more than its price
        pass_on_interrupt(error)
        return None


def _least_busy(client: Any, errors: dict[str, BaseException]) -> Any:
    """Return the device with the shortest queue; where there is none, raise why the client passed over the others."""
    from qiskit.providers.exceptions import QiskitBackendNotFoundError

    try:
        return client.least_busy(operational=True, simulator=False)
    except QiskitBackendNotFoundError as error:
        nothing = error
    raise (list(errors.values()) or [nothing])[-1]


@contextmanager
def overheard() -> Iterator[dict[str, BaseException]]:
    """Keep the errors of the block that the client only writes into its log, by what it names: instance or device.

    It passes over an instance that refuses it, and says that there is no device.
    """
    errors: dict[str, BaseException] = {}

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = sys.exc_info()[1]  # it writes the line while it handles the error
            if error is not None and isinstance(record.args, tuple) and record.args:
                errors.setdefault(str(record.args[0]), error)

    log, listener = logging.getLogger("qiskit_ibm_runtime"), Listener(logging.WARNING)
    log.addHandler(listener)
    try:
        yield errors
    finally:
        log.removeHandler(listener)


@contextmanager
def warned(report: Callable[[str], None]) -> Iterator[None]:
    """Report what the client warns of in the block, as it says it, such as an instance without time left."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in heard:
        if "qiskit_ibm_runtime" in Path(warning.filename).parts:
            report(f"IBM Quantum warns: {shown_without(str(warning.message), _tokens())}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def check_operational(name: str, status: Any) -> None:
    """Refuse a device that runs no jobs now.

    Raises:
        UserError: It says what the device is instead.
    """
    if not status.operational or status.status_msg == "paused":
        raise UserError(
            f"`backend` {name} runs no jobs now, its status is '{status.status_msg}'; wait, or take "
            f"{argument('backend', 'least_busy')}."
        )
