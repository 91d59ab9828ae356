"""What Qiskit's client of IBM Quantum raised, as one sentence: what the service said, as it said it, and a remedy.

Nothing here asks the service. Errors are told apart by their class, the HTTP status and the service's own error code,
never by their words: the client calls a missing network a bad token, and texts of every kind hold numbers.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import responses
from typing import Any

from qssl_tf.errors import UserError, text_of

CHANNEL = "ibm_quantum_platform"
SAVE = f'QiskitRuntimeService.save_account(channel="{CHANNEL}", token="...")'
HIDDEN = "(token)"  # stands where a message would show one
LONGEST = 400  # characters of the service's own words

LATER = "the fault is on its side: see its status page for maintenance, and go on later"
OTHER_INSTANCE = "save the account with another `instance`, or with none, so that all are searched"
STATUS = "look with `qssl device --status` what has become of the job"
GONE = "the job is of another account or instance, or was deleted there"

# Error code of the service -> remedy, where the answer itself has none; https://quantum.cloud.ibm.com/docs/errors.
CODES = {
    1279: f"{OTHER_INSTANCE}; an instance is known in its own region alone",
    1999: LATER,
    3458: "wait until one of your jobs has ended, then go on with --resume",
    4317: "wait until the plan's minutes are renewed, or take an instance of another plan",
}
# HTTP status -> remedy, where neither the answer nor its code has one.
STATUSES = {
    400: "it does not take this request; its list of error codes says more",
    403: "look on its site at the plan of the account's instance and the time left in it, or save the account with "
    "another `instance`",
    404: "look on its site whether this account, instance and region are those that have it",
    409: STATUS,
    413: "start a new device run with fewer --job-rows",
    423: "wait until it is unlocked, or save the account with another `instance`",
    429: "wait a minute, then go on with --resume",
}
OTHERWISE = "see its status page, or try again later"


@dataclass(frozen=True)
class Answer:
    """What the service answered to a request that it did not carry out.

    Attributes:
        status: HTTP status.
        message: Its own words; empty where its answer is no message, such as the page of a firewall.
        code: Its error code, None without one.
        solution: The remedy it gives itself; mostly empty.
    """

    status: int
    message: str = ""
    code: int | str | None = None
    solution: str = ""


def refusal(error: BaseException, secrets: Iterable[str] = ()) -> UserError:
    """Return the user's error for what the client raised.

    Args:
        error: As it was raised.
        secrets: Tokens, which no message may show.
    """
    chain = list(causes(error))
    for kind, sentence in _away().items():
        if any(isinstance(link, kind) for link in chain):
            return UserError(sentence)
    answer = _answer_in(chain)
    if _is_refused(chain, answer):
        words = f" ({shown_without(answer.message, secrets)})" if answer and answer.message else ""
        return UserError(f"IBM Quantum refused the account's token{words}; save a new one with {SAVE}.")
    if answer is not None and answer.solution:
        words, solution = _words(chain, answer, secrets), shown_without(answer.solution, secrets)
        return UserError(f"IBM Quantum answered: {words}. {solution}.")
    return UserError(f"IBM Quantum answered: {_words(chain, answer, secrets)}; {_remedy(chain, answer)}.")


def is_gone(error: BaseException) -> bool:
    """Return whether the service knows nothing of the job that was asked for."""
    from qiskit_ibm_runtime.exceptions import RuntimeJobNotFound

    return isinstance(error, RuntimeJobNotFound)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


@functools.cache
def _away() -> dict[type | tuple[type, ...], str]:
    """Return the errors where no answer of the service arrived -> sentence; the special ones first."""
    import requests

    return {
        requests.exceptions.SSLError: "IBM Quantum's certificate is not accepted here; check this machine's clock and "
        "what stands between it and the network, such as a firewall with certificates of its own.",
        requests.exceptions.ProxyError: "IBM Quantum cannot be reached through the proxy; check HTTPS_PROXY, or the "
        "account's `proxies`, and try again.",
        (requests.ConnectionError, requests.Timeout, ConnectionError): "IBM Quantum cannot be reached; check the "
        "network and try again.",
        json.JSONDecodeError: "what came back is no answer of IBM Quantum; check whether a login page or a firewall "
        "of the network stands between, and try again.",
    }  # fmt: skip


@functools.cache
def _classes() -> dict[type, str]:
    """Return the client's own errors, which stand for no HTTP answer -> remedy; special ones before their parents."""
    import requests
    from qiskit.providers.exceptions import QiskitBackendNotFoundError
    from qiskit_ibm_runtime import exceptions as ibm

    fewer, again = "start a new device run with fewer --job-rows", "go on with --resume"
    return {
        requests.exceptions.RetryError: LATER,
        ibm.IBMAccountError: f"save the account anew, as in {SAVE}",
        ibm.RuntimeJobNotFound: GONE,
        ibm.RuntimeJobMaxTimeoutError: fewer,
        ibm.RuntimeJobFailureError: again,
        ibm.RuntimeJobTimeoutError: again,
        ibm.RuntimeInvalidStateError: STATUS,
        ibm.IBMBackendApiProtocolError: "a newer qiskit-ibm-runtime may understand it",
        ibm.IBMInputValueError: "choose otherwise, or look on its site which instances this account has (a new one has "
        "none) and save it with one of those",
        QiskitBackendNotFoundError: f"take another `backend`, or {OTHER_INSTANCE}",
    }


def _answer_in(chain: list[BaseException]) -> Answer | None:
    """Return what the service answered, with its words if any link of the chain has them."""
    found = [answer for link in chain if (answer := _answer(link)) is not None]
    return next((answer for answer in found if answer.message), found[0] if found else None)


def _answer(error: BaseException) -> Answer | None:
    """Return what the service answered where an error of requests or of IBM's cloud holds it."""
    from ibm_cloud_sdk_core import ApiException

    if isinstance(error, ApiException):
        return Answer(error.status_code or 0, str(error.message or ""))
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int):
        return _parsed(status, response)
    status = getattr(error, "status_code", -1)  # the client's own error, where the one of requests is not behind it
    return Answer(status) if isinstance(status, int) and status > 0 else None


def _parsed(status: int, response: Any) -> Answer:
    """Return the first message in the body of an answer: `{"errors": [{"code": ..., "message": ...}]}`."""
    try:
        body = response.json()
        entry = (body.get("errors") or [body.get("error")])[0]
        return Answer(status, str(entry["message"]), entry.get("code"), str(entry.get("solution") or ""))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return Answer(status)


def _is_refused(chain: list[BaseException], answer: Answer | None) -> bool:
    """Return whether the token is what was refused; IBM's cloud answers 400 to one that it does not know."""
    from qiskit_ibm_runtime.accounts import InvalidAccountError
    from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

    if answer is not None:
        return answer.status == 401 or (answer.status == 400 and isinstance(chain[0], InvalidAccountError))
    return any(isinstance(link, IBMNotAuthorizedError) for link in chain)


def _remedy(chain: list[BaseException], answer: Answer | None) -> str:
    """Return the remedy by the code, the status or the classes of the chain, the outermost first."""
    if answer is not None:
        code = int(str(answer.code)) if str(answer.code).isdecimal() else 0
        missing = GONE if is_gone(chain[0]) else ""  # its status is that of anything that is not found
        if (
            found := CODES.get(code)
            or missing
            or STATUSES.get(answer.status)
            or (LATER if answer.status >= 500 else "")
        ):
            return found
    by_class = (text for link in chain for kind, text in _classes().items() if isinstance(link, kind))
    return next(by_class, OTHERWISE)


def _words(chain: list[BaseException], answer: Answer | None, secrets: Iterable[str]) -> str:
    """Return the service's own words; where it said none, those of HTTP or of the client."""
    if answer is not None and answer.message:
        return shown_without(answer.message, secrets) + ("" if answer.code is None else f" (error code {answer.code})")
    if answer is not None:
        return f"{answer.status} {responses.get(answer.status, '')}".rstrip()
    from requests.exceptions import RetryError

    retried = next((link.args[0] for link in chain if isinstance(link, RetryError) and link.args), None)
    told = getattr(retried, "reason", None) or getattr(chain[0], "message", None) or text_of(chain[0])
    return shown_without(str(told) or type(chain[0]).__name__, secrets)


def shown_without(words: str, secrets: Iterable[str]) -> str:
    """Return words on one line without a token in them."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        words = words.replace(secret, HIDDEN)
    line = next((line.strip() for line in words.splitlines() if line.strip()), "")
    return (line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}...").rstrip(".")
