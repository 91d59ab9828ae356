"""`qssl probe`: a linear probe of a run's checkpoints."""

from qssl_tf.cli.runs import add_run_flags, named_run
from qssl_tf.config import Config
from qssl_tf.files.lock import locked
from qssl_tf.flags import Parser, add_config_flags, given_settings


def parser() -> Parser:
    """Return the command line."""
    made = Parser(description="Train a linear classifier on the frozen features of a run.")
    add_run_flags(made)
    made.add_argument("--checkpoint", default="last", metavar="STEP", help="all, last or a step (default: last)")
    made.add_argument("--split", default="test", help="images that judge: test, or validation if some were held out")
    made.add_argument(
        "--no-untrained", action="store_true", help="leave out the probe of the untrained network (step 0)"
    )
    add_config_flags(made, only=("data_dir", "probe_"))
    return made


def main() -> None:
    """Probe the chosen checkpoints and write what came out."""
    arguments = parser().parse_args()

    from qssl_tf.evaluation.checkpoints import (
        check_open_to_probes,
        draw_probes,
        probe_checkpoints,
        result_path,
        write_probes,
    )
    from qssl_tf.evaluation.probe import check_split
    from qssl_tf.training.facts import unfinished
    from qssl_tf.training.runs import choose_step

    run = named_run(arguments)
    settings = Config.from_dict(run.config.to_dict() | given_settings(arguments))
    check_split(arguments.split, settings)
    steps = choose_step(run, arguments.checkpoint)
    if not arguments.no_untrained and 0 in run.checkpoint_steps() and 0 not in steps:
        steps = [0, *steps]
    check_open_to_probes(run)
    with locked(run.probe):  # the run itself may go on training
        print(f"{run.folder}: {settings.probe_protocol} probe of step {', '.join(map(str, steps))}", flush=True)
        if lacking := unfinished(run, steps[-1]):
            print(f"note: {lacking}", flush=True)
        results = probe_checkpoints(
            run, settings, steps, report=lambda line: print(line, flush=True), split=arguments.split
        )
        write_probes(run, results)
        for path in draw_probes(run, results):
            print(f"figure: {path}")
        print(f"result: {result_path(run, results[0][0])}")
