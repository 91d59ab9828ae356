"""What keras-tuner's files of a search must hold, checked before it reads them: it takes what stands there."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from qssl_tf.files.schema import Count, Measured, Schema, Word, read_as

Id = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]
Number = Annotated[float, Field(ge=-1e18, le=1e18)]


class Observation(Schema):
    """What was measured at a step."""

    value: Annotated[list[Number], Field(min_length=1)]
    step: Count


class History(Schema):
    """A figure of a trial."""

    direction: Literal["min", "max"]
    observations: Annotated[list[Observation], Field(min_length=1)]


class Figures(Schema):
    """The figures of a trial, by name."""

    metrics: dict[Word, History]


class Values(Schema):
    """Which values were chosen for a trial."""

    values: dict[Word, bool | Count | Measured | Word]


class TrialState(Schema):
    """`trial.json` of keras-tuner."""

    trial_id: Id
    hyperparameters: Values
    metrics: Figures
    score: Number | None
    best_step: Count | None
    status: Literal["RUNNING", "IDLE", "INVALID", "STOPPED", "COMPLETED", "FAILED"]
    message: str | None


class Entry(Schema):
    """A trial's place in a rung of hyperband."""

    past_id: Id | None
    id: Id


class Bracket(Schema):
    """A bracket of hyperband."""

    bracket_num: Count
    rounds: Annotated[list[list[Entry]], Field(min_length=1)]


class OracleState(Schema):
    """`oracle.json` of keras-tuner."""

    ongoing_trials: dict[Word, Id]
    start_order: list[Id]
    end_order: list[Id]
    run_times: dict[Id, Count]
    retry_queue: list[Id]
    seed: Count
    seed_state: Count
    tried_so_far: list[Word]
    id_to_hash: dict[Id, Word | None]
    brackets: list[Bracket] = []


def check_state(project: Path) -> None:
    """Refuse files that keras-tuner did not write, or that speak of trials which are not there.

    Args:
        project: Its folder within a search's.

    Raises:
        OSError, ValueError: It names the file and what is wrong.
    """
    known = set()
    for path in project.glob("trial_*/trial.json"):
        state = _read(path, TrialState)
        if path.parent.name != f"trial_{state['trial_id']}":
            raise ValueError(f"{path.parent.name} holds trial {state['trial_id']}")
        known.add(state["trial_id"])
    state = _read(project / "oracle.json", OracleState)
    brackets = [entry["id"] for bracket in state.get("brackets", []) for rung in bracket["rounds"] for entry in rung]
    for name in ("start_order", "end_order", "retry_queue"):
        if len(set(state[name])) < len(state[name]):
            raise ValueError(f"oracle.json names a trial twice in its {name}")
    named = {*state["start_order"], *state["end_order"], *state["retry_queue"], *brackets}
    if missing := sorted((named | set(state["ongoing_trials"].values())) - known):
        raise ValueError(f"oracle.json names trial {missing[0]}, which is not there")


def _read(path: Path, kind: type[Schema]) -> Any:
    try:
        return read_as(path, kind)
    except ValueError as error:
        raise ValueError(f"{path.parent.name}/{path.name}: {error}") from None
