"""`qssl evaluate`: a trained run before several judges, in one table."""

from pathlib import Path

from qssl_tf.cli.flags import Parser, add_config_flags, given_settings
from qssl_tf.cli.runs import add_run_flags, named_run
from qssl_tf.config import WHERE, Config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.evaluators import ALL, EVALUATORS, left_out

DEFAULTS = EvaluationOptions()


def parser() -> Parser:
    """Return the command line."""
    told = "; ".join(f"{name}: {judge.about}" for name, judge in EVALUATORS.items())
    flags = Parser(description=f"Judge a trained run, in one table. Judges: {told}.")
    add_run_flags(flags)
    quick = ",".join(name for name, judge in EVALUATORS.items() if judge.quick)
    flags.add_argument(
        "--judges", type=_words, metavar="NAMES", help=f"judges separated by commas, or {ALL} (default: {quick})"
    )
    flags.add_argument("--checkpoint", default="last", metavar="STEP", help="last or a step (default: last)")
    flags.add_argument("--split", default="test", help="images that judge: test, or validation if some were held out")
    _add_option(flags, "fractions", _numbers(float), "fractions of the labels for probes and fine-tuning")
    _add_option(flags, "images_per_class", _numbers(int), "images of each class for few-shot probes")
    _add_option(flags, "draws", _number(int), "draws of few labels, and of weights of a head")
    _add_option(flags, "finetune_epochs", _number(int), "epochs of fine-tuning")
    _add_option(flags, "finetune_learning_rate", _number(float), "Adam's first learning rate in fine-tuning")
    flags.add_argument("--probe-dataset", metavar="NAME", help="data set for the judge transfer, as in --dataset")
    flags.add_argument("--probe-data-dir", metavar="DIR", help="folder of its images, or of prepared TFDS data")
    flags.add_argument("--cka-with", type=Path, metavar="RUN", help="run that the judge cka compares with")
    flags.add_argument(
        "--seeds", nargs="+", type=Path, default=[], metavar="RUN", help="runs of other seeds, for the judge head"
    )
    add_config_flags(flags, only=(*WHERE, "probe_"))
    return flags


def _add_option(flags: Parser, name: str, kind, about: str) -> None:
    value = getattr(DEFAULTS, name)
    shown = ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else f"{value:g}"
    flags.add_argument(
        f"--{name.replace('_', '-')}", type=kind, default=value, metavar="VALUE", help=f"{about} (default: {shown})"
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(kind):
    """Return a reader of one number; what cannot be read goes on to the options, which refuse it."""

    def read(text: str):
        try:
            return kind(text)
        except ValueError:
            return text

    return read


def _numbers(kind):
    """Return a reader of numbers separated by commas."""
    return lambda text: tuple(_number(kind)(part) for part in text.split(",") if part)


def main() -> None:
    """Ask the judges, and print what they say as one table."""
    arguments = parser().parse_args()
    options = EvaluationOptions(**{name: getattr(arguments, name) for name in EvaluationOptions.__dataclass_fields__})

    from qssl_tf.evaluation.evaluate import evaluate_run
    from qssl_tf.training.runs import choose_step, open_run, own_folder

    if arguments.checkpoint == "all":
        raise UserError("--checkpoint must be last or a step, for one set of weights; got 'all'.")
    run = open_run(own_folder(named_run(arguments).folder, arguments.runs_dir))
    config = Config.from_dict(run.config.to_dict() | given_settings(arguments))
    (step,) = choose_step(run, arguments.checkpoint)
    found = evaluate_run(
        run, config, step, arguments.judges, options, arguments.split, report=lambda line: print(line, flush=True)
    )
    print(f"\n{found.table()}\n")
    for name, why in found.left_out.items():
        print(f"left out: {name}, since {why}")
    if arguments.judges is None and (others := left_out([*found.readings, *found.left_out])):
        print(others)
    for path in found.figures:
        print(f"figure: {path}")
    print(f"result: {found.path}")
