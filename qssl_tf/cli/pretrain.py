"""`qssl pretrain`: contrastive pretraining of a new run, or of one that goes on."""

import argparse
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from qssl_tf.cli.flags import Parser, add_base_flags, add_config_flags, config_from_flags, given_settings
from qssl_tf.cli.runs import given_places
from qssl_tf.cli.strategy_flags import add_strategy_flags, read_strategy
from qssl_tf.commands import command
from qssl_tf.config import WHERE, Config
from qssl_tf.distributed.options import StrategyOptions
from qssl_tf.distributed.peers import Peers
from qssl_tf.distributed.rendezvous import joined
from qssl_tf.errors import UserError, counted
from qssl_tf.files.checksums import digest
from qssl_tf.files.latest import point_newest
from qssl_tf.files.lock import locked
from qssl_tf.files.write import sweep
from qssl_tf.interrupts import how_to_go_on
from qssl_tf.training.runs import PARTS, Run, check_open_to_training, newest_run, open_run, versions


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Train encoder and head by contrastive learning.")
    flags.add_argument("--name", help="name of the run folder (default: data set, head, seed and time)")
    flags.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs")
    flags.add_argument(
        "--resume", nargs="?", const="", metavar="RUN", help="continue a run folder (default: the newest run)"
    )
    flags.add_argument(
        "--previous-state", action="store_true", help="resume from the state before the last, if that is damaged"
    )
    add_strategy_flags(flags)
    add_base_flags(flags)
    add_config_flags(flags)
    return flags


def main() -> int:
    """Open or make the run, train it, look at the result."""
    arguments = parser().parse_args()
    opened = to_resume(arguments)
    config = opened.config if opened else config_from_flags(arguments)
    if opened:
        how_to_go_on(going_on(opened, arguments))
    options = read_strategy(arguments, config.batch_size, opened.folder.parent if opened else arguments.runs_dir)
    with joined(options, describe_settings(config, opened)) as peers:
        return train(arguments, config, opened, options, peers)


def train(arguments, config: Config, opened: Run | None, options: StrategyOptions, peers: Peers | None) -> int:
    """Train one run on the devices and machines of `options`, and return the exit code; only the chief writes."""
    from qssl_tf.distributed.strategies import make_strategy

    began = time.perf_counter()
    strategy = make_strategy(options, config.batch_size)  # before anything else touches TensorFlow's devices

    from qssl_tf.data.sources import load
    from qssl_tf.training.fit import build
    from qssl_tf.training.metadata import is_finished
    from qssl_tf.training.provenance import images_of_run
    from qssl_tf.training.session import Session, new_session, resumed_session

    data = images_of_run(opened, places=given_places(arguments)) if opened else load(config)
    if peers:
        peers.agree({"training images": data.train.fingerprint(by_image=True)})  # in memory here, on disk there
    with strategy.scope():
        built = build(config, data, opened.state if opened else None)  # before a folder is made
    if peers and not peers.is_chief:
        Session(Run(Path(peers.tell("")), config), data, *built, resumed=opened is not None).train(peers)
        return 0
    if opened:
        session = resumed_session(opened, data, built)
    else:
        session = new_session(config, data, arguments.runs_dir, arguments.name, built)
    run = session.run
    how_to_go_on(going_on(run, arguments))
    with locked(run.folder):
        if opened:
            with suppress(UserError), locked(run.probe):  # somebody may be probing it, who has files of that kind
                sweep(run.folder, *(run.folder / part for part in PARTS))
        complete = opened is not None and not arguments.previous_state and is_finished(opened)
        begin(run, data, strategy.num_replicas_in_sync, arguments.previous_state, complete)
        if peers:
            peers.tell(str(run.folder))
        stopped_by = session.train(peers)
        if peers:
            peers.end(stopped_by)
        if stopped_by:
            print(f"stopped by {stopped_by}; {going_on(run, arguments)}")
            return 130
        finish(run, session.model_for_use(), data, None if complete else time.perf_counter() - began)
    return 0


def going_on(run: Run, arguments: argparse.Namespace) -> str:
    """Return how to go on with a run that was stopped, where its images lie elsewhere than its settings say as well."""
    places = given_places(arguments) if arguments.resume is not None else {}  # a new run has them as settings
    words = [word for name, place in places.items() for word in (f"--{name.replace('_', '-')}", place)]
    return f"continue with: {command('pretrain', '--resume', run.folder, *words)}"


def describe_settings(config: Config, opened: Run | None) -> dict[str, Any]:
    """Return what all workers must have in common; where the data lie may differ."""
    settings = {name: value for name, value in config.to_dict().items() if name not in WHERE}
    state = opened.state if opened else None
    kept = digest(state) if state and state.is_file() else None
    same = {name: version for name, version in versions().items() if name != "machine"}
    return {**same, **settings, "run to resume": opened and opened.folder.name, "kept state": kept}


def begin(run: Run, data, replicas: int, previous_state: bool, complete: bool) -> None:
    """Say what is about to be trained, from which state."""
    from qssl_tf.data.augment import say_recipe
    from qssl_tf.training.checkpoints import go_back

    if previous_state:
        print(f"the last state is kept as {go_back(run)}", flush=True)
    if not complete:
        point_newest(run.folder)
    shared = f", shared by {replicas} replicas" if replicas > 1 else ""
    if shared and run.config.batch_statistics == "local":
        shared += ", each with batch statistics of its own"
    print(f"{run.folder}: {describe(run.config)} on {len(data.train)} images of {data.name}{shared}", flush=True)
    say_recipe(run.config, data.image_shape)


def to_resume(arguments) -> Run | None:
    """Return the run that --resume names, if it was given.

    Settings beside it are refused, as they stand in its folder, but for those that say where its images lie now.
    """
    if arguments.resume is None:
        if arguments.previous_state:
            raise UserError("--previous-state belongs to --resume, which names the run to go on with.")
        return None
    given = [f"--{name.replace('_', '-')}" for name in given_settings(arguments) if name not in WHERE]
    given += [f"--{name}" for name in ("preset", "config", "name") if getattr(arguments, name) is not None]
    if given:
        raise UserError(f"--resume takes every setting from the run folder; leave out {', '.join(given)}.")
    from qssl_tf.training.metadata import check_simulator  # loads pydantic, for which --help need not wait

    run = open_run(Path(arguments.resume)) if arguments.resume else newest_run(arguments.runs_dir)
    check_open_to_training(run)
    check_simulator(run)
    return run


def describe(config: Config) -> str:
    """Return the model in a few words."""
    head = f"{config.ansatz} circuit on {config.width} qubits" if config.head == "quantum" else f"{config.head} head"
    others = [f", {value}" for value, usual in _said(config) if value != usual]
    return f"{config.encoder} + {head}{''.join(others)}, seed {config.seed}"


def _said(config: Config) -> list[tuple[str, str]]:
    """Return settings that are told where they are not as usual, each with its usual value."""
    return [(config.objective, "nt_xent"), (config.precision, "float32")]


def finish(run, model, data, seconds: float | None) -> None:
    """Save the model, draw the figures, measure neighbours and say what to do next."""
    from qssl_tf.evaluation.run_summary import finish_run
    from qssl_tf.training.history import read_history

    steps = counted(int(read_history(run.history)[-1]["step"]), "step")
    done = f"finished already: {steps}" if seconds is None else f"done: {steps} in {seconds:.0f} s"
    found, judged = finish_run(run, model, data), data.class_names and len(data.test)
    print(
        f"{done}, {found}\n"
        f"run folder: {run.folder} (figures/loss.png, figures/views.png)\n"
        + (f"next: {command('probe', run.folder)}" if judged else "no labels to judge by, no probe")
    )
