"""ROLES: a search in one process, or the chief's and the workers' part of one on several."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras_tuner

from qssl_tf.commands import argument, command
from qssl_tf.distributed.secret import find_secret
from qssl_tf.errors import UserError, counted
from qssl_tf.files.lock import locked
from qssl_tf.search.chief import Desk, serve
from qssl_tf.search.client import Client
from qssl_tf.search.figures import draw_search
from qssl_tf.search.folder import begin
from qssl_tf.search.identity import begin_identity, read_identity
from qssl_tf.search.oracles import Kept, is_complete
from qssl_tf.search.plan import Plan
from qssl_tf.search.progress import Progress
from qssl_tf.search.results import BEST, TABLE, best, table, write_results
from qssl_tf.search.space import combinations
from qssl_tf.search.trials import check_same_images, images
from qssl_tf.search.tuner import Tuner, make_oracle

SILENCE = 60.0  # seconds


@dataclass(frozen=True)
class Connection:
    """How the processes of one search reach each other.

    Attributes:
        chief: HOST:PORT where the chief listens.
        secret_file: Of what they know each other by; None as `find_secret` has it.
        silence: Seconds after which a silent worker is lost.
    """

    chief: str
    secret_file: Path | None = None
    silence: float = SILENCE


def alone(folder: Path, plan: Plan, connection: Connection | None = None) -> None:
    """Run all trials in this process."""
    images(plan.base)  # missing data end the command before a folder is made
    check_same_images(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        oracle, tuner = _opened(folder, plan)
        began = time.monotonic()
        _searching(tuner)
        whole = time.monotonic() - began
        _finish(folder, plan, oracle)
        if tuner.seconds_in_trials:
            share = 100 * (whole - tuner.seconds_in_trials) / whole
            print(f"{whole:.0f} s of search, {share:.1f} % of them outside the trials")


def chief(folder: Path, plan: Plan, connection: Connection) -> None:
    """Hand out trials to workers and collect what came of them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        secret = find_secret(folder.parent, connection.secret_file)
        oracle, _ = _opened(folder, plan)
        identity = begin_identity(folder, plan)
        print(
            f"chief at {connection.chief}, secret of {secret.source}; "
            f"workers: {argument('role', 'worker')} {argument('chief', connection.chief)} {argument('resume', folder)}",
            flush=True,
        )
        if is_complete(oracle, combinations(plan.parameters)):
            print("all of its trials have ended; no worker is needed", flush=True)
            _finish(folder, plan, oracle)
            return
        desk = Desk(oracle, identity)
        serve(desk, connection.chief, secret, connection.silence, partial(print, flush=True))
        _finish(folder, plan, oracle)


def worker(folder: Path, plan: Plan, connection: Connection) -> None:
    """Run trials for the chief until there are no more."""
    oracle, identity = make_oracle(plan), read_identity(folder, plan)
    secret = find_secret(folder.parent, connection.secret_file)
    client = Client(oracle, connection.chief, secret, identity, connection.silence / 6)
    images(plan.base)
    check_same_images(folder)
    tuner = Tuner(plan, oracle, folder, client)
    print(f"{folder}: worker of {connection.chief}", flush=True)
    _searching(tuner)
    print("no more trials", flush=True)


ROLES: dict[str, Callable[[Path, Plan, Any], None]] = {"alone": alone, "chief": chief, "worker": worker}


def _opened(folder: Path, plan: Plan) -> tuple[Kept, Tuner]:
    """Return oracle and tuner with what is on file, and begin to tell how it goes."""
    begin(folder, plan)
    oracle = make_oracle(plan)
    tuner = Tuner(plan, oracle, folder)
    oracle.watcher = Progress(plan, oracle, folder)
    kept = sum(row.state != "running" for row in table(plan, oracle, folder))
    more = f", {kept} of its trials done already" if kept else ""
    print(f"{folder}: {plan.algorithm} search over {', '.join(plan.parameters)}{more}", flush=True)
    return oracle, tuner


def _searching(tuner: Tuner) -> None:
    """Run the trials.

    Raises:
        UserError: The chief does not answer.
        OSError: A disk that is full or gone.
    """
    try:
        tuner.search()
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ or UserError(str(error)) from None


def _finish(folder: Path, plan: Plan, oracle: Kept) -> None:
    """Write table, best settings and figures, and say what to do next."""
    rows = table(plan, oracle, folder)
    write_results(folder, plan, rows)
    figures = draw_search(folder, plan, rows)
    failed = sum(row.state == "failed" for row in rows)
    print(f"{counted(len(rows), 'trial')}, {failed} failed: {folder / TABLE}")
    if plan.trials is not None and len(rows) < plan.trials:
        print("there are no more combinations to try")
    for path in figures:
        print(f"figure: {path}")
    first = best(plan, rows)
    if first is None:
        raise UserError(f"no trial was completed; {folder / TABLE} says why.")
    share = "" if first.share == 1 else f" after {first.share:.0%} of the steps: none was completed with more"
    print(
        f"best: trial {first.trial}, {plan.objective} {first.figures[plan.objective]:.4g}{share}, the best of "
        f"{len(rows)} and therefore an optimistic figure\n"
        f"next: {command('pretrain', '--config', folder / BEST)}"
    )
