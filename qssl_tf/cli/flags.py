"""Command-line flags made from the fields of Config, and the parser of every command."""

import argparse
import difflib
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from qssl_tf.arguments import as_path
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.files.read import named
from qssl_tf.plugins import load_plugins
from qssl_tf.presets import PRESETS, preset
from qssl_tf.quantum.tfq_availability import obstacle, refuse_absent
from qssl_tf.registry import closed_words

# First setting of a group -> what the group is called; the groups follow each other as Config has them.
GROUPS = {"dataset": "images", "encoder": "model", "objective": "training", "online_probe": "probe"}
SETTINGS_ABOUT = "each replaces what the preset, file or run says; 'none' where a value may be none"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, exit code 2, with the nearest flag for a misspelt one."""

    def __init__(self, **options: Any):
        """Make a parser that does not guess abbreviations and takes the user's plugins."""
        super().__init__(allow_abbrev=False, **options)
        self.add_argument(
            "--plugin",
            action="append",
            default=[],
            metavar="FILE",
            help="Python file that registers own circuits, encoders, objectives or data sets (also: QSSL_TF_PLUGINS)",
        )

    def format_help(self) -> str:
        """Return the help, with a usage of one line: flags by the dozen are below, and stand in groups there."""
        places = [action for action in self._actions if not action.option_strings]
        optional = {"?": "[{}]", "*": "[{} ...]"}
        names = [optional.get(str(a.nargs), "{}").format(a.metavar or a.dest) for a in places]
        self.usage = " ".join(["%(prog)s", *names, "[flags]"])
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, f"error: {message}\n")

    def parse_args(self, args=None, namespace=None):
        """Parse, name the nearest known flag where one is unknown, and load the plugins; or complete for a shell."""
        if "_ARGCOMPLETE" in os.environ:
            import argcomplete

            argcomplete.autocomplete(self)
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = difflib.get_close_matches(unknown[0].split("=")[0], flags, n=1)
            hint = f" Did you mean {near[0]}?" if near else " --help lists the flags."
            self.error(f"unknown argument '{unknown[0]}'.{hint}")
        for name, value in vars(known).items():
            if isinstance(value, Path):  # a shell leaves the ~ of --folder=~/runs alone
                setattr(known, name, as_path(name, value))
        load_plugins(known.plugin)
        return known


def add_config_flags(parser: argparse.ArgumentParser, only: tuple[str, ...] = ("",)) -> None:
    """Add one flag for each field of Config whose name starts with one of `only` (`batch_size` is `--batch-size`)."""
    hints = get_type_hints(Config)
    group: argparse._ActionsContainer = parser
    for item in fields(Config):
        if item.name in GROUPS and any(name.startswith(only) for name in _settings_of_group(item.name)):
            group = parser.add_argument_group(f"settings of the {GROUPS[item.name]}", SETTINGS_ABOUT)
        if not item.name.startswith(only):
            continue
        words = f" ({', '.join(closed_words(item.name))})" if closed_words(item.name) else ""
        group.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=_reader(item.name, hints[item.name]),
            default=argparse.SUPPRESS,
            metavar="VALUE",
            help=f"{item.metadata['help']}{words}{_default(item.default)}".replace("%", "%%"),
        )


def _settings_of_group(first: str) -> list[str]:
    """Return the settings of the group that begins with one."""
    names = [item.name for item in fields(Config)]
    begins = [names.index(name) for name in GROUPS]
    here = names.index(first)
    return names[here : min([place for place in begins if place > here], default=len(names))]


def _default(value: Any) -> str:
    """Return what a help text says of a default; those that are none say themselves what that means."""
    if value is None or value == ():
        return ""
    return f" (default: {str(value).lower() if isinstance(value, bool) else value})"


def add_base_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--preset` and `--config`, the two ways to name the settings to start from."""
    parser.add_argument("--preset", metavar="NAME", help=f"settings to start from: {', '.join(PRESETS)}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings to start from: a config.json")


def config_from_flags(arguments: argparse.Namespace, default: str = "digits") -> Config:
    """Return the preset or config file that was named, with the flags that were given put in its place.

    Raises:
        UserError: An unknown preset, a bad file, a value that Config refuses, or a simulator that is not there.
    """
    if arguments.preset is not None and arguments.config is not None:
        raise UserError("--preset and --config both name settings to start from; give one of them.")
    base = Config.from_json(named(arguments.config)) if arguments.config else preset(arguments.preset or default)
    config = Config.from_dict(base.to_dict() | given_settings(arguments))
    if config.head == "quantum":
        refuse_absent(config.simulator, obstacle())
    return config


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the config values that stood on the command line."""
    names = {item.name for item in fields(Config)}
    return {name: value for name, value in vars(arguments).items() if name in names}


def read_setting(name: str, text: str) -> Any:
    """Return the value that `text` means for the field `name` of Config; what cannot be read is left to Config."""
    return _reader(name, get_type_hints(Config)[name])(text)


def _reader(name: str, hint: Any) -> Callable[[str], Any]:
    """Return the function that reads one flag's text; values that cannot be read go on to Config, which refuses."""
    optional = type(None) in get_args(hint)

    def read(text: str) -> Any:
        if optional and text.lower() == "none":
            return None
        try:
            if hint == tuple[int, ...]:
                return tuple(int(part) for part in text.split(",") if part) if text.lower() != "none" else ()
            if hint is bool:
                return {"true": True, "false": False}.get(text.lower(), text)
            for kind in (int, float):
                if hint == kind or hint == kind | None:
                    return kind(text)
        except ValueError:
            return text
        return text

    read.__name__ = name
    return read
