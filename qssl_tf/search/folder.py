"""A search's folder: made, found again, and refused where it is another one."""

from dataclasses import replace
from pathlib import Path

from qssl_tf.commands import argument, command, resumption
from qssl_tf.errors import UserError
from qssl_tf.files.latest import check_latest, point_newest
from qssl_tf.files.links import pointed
from qssl_tf.files.read import named
from qssl_tf.files.write import making, sweep
from qssl_tf.interrupts import how_to_go_on
from qssl_tf.search.plan import Plan, read_plan, write_plan


def existing_search(folder: str, searches_dir: Path, trials: int | None) -> tuple[Path, Plan]:
    """Return a search's folder and its plan, for more trials where a number is given.

    Args:
        folder: Of the search; nothing for the newest.
        searches_dir: Folder of all searches.
        trials: How many trials there are to be; None leaves them as they are.

    Raises:
        UserError: It is no search, or fewer trials than it was begun with.
    """
    path = named(Path(folder)) if folder else pointed(searches_dir)
    _check_text(path)
    plan = read_plan(path)
    return path, plan if trials is None else _longer(plan, trials)


def new_search(folder: Path, plan: Plan) -> Path:
    """Return the folder of a new search, which is not made yet.

    Raises:
        UserError: It exists, or keras-tuner cannot keep files there.
    """
    check_latest(folder.parent)
    _check_text(folder)
    if folder.exists():
        _refuse_another(folder, plan)
        raise UserError(f"{folder} exists already; continue it with {resumption(folder, 'search')}.")
    return folder


def begin(folder: Path, plan: Plan) -> None:
    """Make a new search's folder, or note that one goes on for longer; whoever calls holds the folder.

    Raises:
        UserError: Another process has made another search of that name meanwhile.
    """
    if folder.exists():
        _refuse_another(folder, plan)
        sweep(folder)
        write_plan(folder, plan)
    else:
        with making(folder) as begun:
            write_plan(begun, plan)
    how_to_go_on(going_on(folder))
    point_newest(folder)


def going_on(folder: Path) -> str:
    """Return how to go on with a search that was stopped."""
    return f"continue with: {command('search', '--resume', folder)}"


def _longer(plan: Plan, trials: int) -> Plan:
    if plan.algorithm == "hyperband":
        raise UserError(f"a hyperband search sets the number of trials by itself; leave out {argument('trials')}.")
    if plan.trials is not None and trials < plan.trials:
        raise UserError(
            f"{argument('trials')} must be at least the {plan.trials} of the search that is continued; got {trials}."
        )
    return replace(plan, trials=trials)


def _check_text(folder: Path) -> None:
    """Refuse a folder in which keras-tuner cannot keep its files: it takes names as text."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"the path of a search must be UTF-8 in a locale that knows it (LC_ALL=C.UTF-8); got {ascii(str(folder))}."
        ) from None


def _refuse_another(folder: Path, plan: Plan) -> None:
    different = read_plan(folder).differences(plan)
    if different:
        raise UserError(f"{folder} is another search ({'; '.join(different)}); choose another {argument('name')}.")
