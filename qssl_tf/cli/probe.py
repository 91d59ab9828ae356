"""`qssl probe`: a linear probe of a run's checkpoints."""

from qssl_tf.cli.flags import Parser, add_config_flags, given_settings
from qssl_tf.cli.runs import add_run_flags, named_run
from qssl_tf.config import WHERE, Config


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Train a linear classifier on the frozen features of a run.")
    add_run_flags(flags)
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="all, last or a step (default: last)")
    flags.add_argument("--split", default="test", help="images that judge: test, or validation if some were held out")
    flags.add_argument(
        "--no-untrained", action="store_true", help="leave out the probe of the untrained network (step 0)"
    )
    add_config_flags(flags, only=(*WHERE, "probe_"))
    return flags


def main() -> None:
    """Probe the chosen checkpoints and write what came out."""
    arguments = parser().parse_args()

    from qssl_tf.evaluation.checkpoints import probe_run
    from qssl_tf.training.runs import choose_step

    run = named_run(arguments)
    settings = Config.from_dict(run.config.to_dict() | given_settings(arguments))
    steps = choose_step(run, arguments.checkpoint)
    if not arguments.no_untrained and 0 in run.checkpoint_steps() and 0 not in steps:
        steps = [0, *steps]
    probes = probe_run(run, settings, steps, arguments.split, report=lambda line: print(line, flush=True))
    for path in probes.figures:
        print(f"figure: {path}")
    print(f"result: {probes.path}")
