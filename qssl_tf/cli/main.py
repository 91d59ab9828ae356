"""`qssl`: the commands of the package, each in a module of its own that is loaded once it is asked for."""

import argparse
import difflib
import os
import sys
from importlib import import_module
from typing import NoReturn

from qssl_tf.cli.start import start_command

start_command()  # before what takes time

from qssl_tf import __version__  # noqa: E402
from qssl_tf.cli.run import run_command  # noqa: E402
from qssl_tf.distributed.rendezvous import end_process  # noqa: E402

# Command, which is the name of its module here -> what it does, in the order in which a user meets them.
COMMANDS = {
    "pretrain": "train encoder and head by contrastive learning, or go on with a run",
    "probe": "judge a run by a linear classifier on its frozen features",
    "evaluate": "judge a run by probes with few labels, neighbours, fine-tuning and more, in one table",
    "report": "draw a run and gather what it found on one page",
    "device": "run a trained and probed head on a device, or on a snapshot of one",
    "predict": "name the classes of a folder of new images",
    "share": "write a run as a self-contained folder with a model card",
    "search": "try settings, and judge each on held-out training images",
    "compare": "compare runs seed by seed, or train arms with the same seeds and compare them",
    "reproduce": "train and judge the paper's arms and their controls",
    "store": "keep images on disk that are larger than memory, ahead of a run, and look at them",
    "circuit": "draw, count and measure a circuit",
    "noise": "read the noise of a device from its calibration snapshot",
    "doctor": "look at this machine and test the installation",
}
USAGE = f"""usage: qssl COMMAND [...]

Quantum self-supervised learning (arXiv:2103.14653).

commands:
{chr(10).join(f"  {name:<11}{about}" for name, about in COMMANDS.items())}

qssl COMMAND --help says what it takes; qssl --version, which version this is. `python -m qssl_tf` is the same."""


def main() -> NoReturn:
    """Run the command that the first word names."""
    if "_ARGCOMPLETE" in os.environ:
        complete()
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE)
        sys.exit(0 if words else 2)
    if words[0] in ("-V", "--version"):
        print(f"qssl_tf {__version__}")
        sys.exit(0)
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"It must be one of {', '.join(COMMANDS)}."
        print(f"error: unknown command '{words[0]}'. {hint}", file=sys.stderr)
        sys.exit(2)
    sys.argv[:] = [f"qssl {words[0]}", *words[1:]]
    run(words[0])


def complete() -> None:
    """Complete a command line for the shell that asks, and end: `eval "$(register-python-argcomplete qssl)"`."""
    import argcomplete

    words = argcomplete.split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))[3]
    parser = argparse.ArgumentParser(prog="qssl")
    commands = parser.add_subparsers()
    for name in COMMANDS:
        if name in words[1:2]:
            commands.add_parser(name, parents=[import_module(f"qssl_tf.cli.{name}").parser()], add_help=False)
        else:
            commands.add_parser(name)
    argcomplete.autocomplete(parser)


def run(command: str) -> NoReturn:
    """Run a command on the words of `sys.argv`, and end this process as it ends."""
    end_process(run_command(lambda: import_module(f"qssl_tf.cli.{command}").main()))
