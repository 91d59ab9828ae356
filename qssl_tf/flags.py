"""Command-line flags made from the fields of Config, and the one way every command ends in an error."""

import argparse
import difflib
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.files.read import named
from qssl_tf.interrupts import CtrlC, listening
from qssl_tf.plugins import load_plugins
from qssl_tf.presets import PRESETS, preset
from qssl_tf.registry import closed_words
from qssl_tf.streams import mend_streams

# What helps where a file cannot be written, beside room or permission.
REMEDIES = {
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name a folder, not a file",
}


# First setting of a group -> what the group is called; the groups follow each other as Config has them.
GROUPS = {"dataset": "images", "encoder": "model", "temperature": "training", "probe_protocol": "probe"}
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
            help="Python file that registers own circuits, encoders or data sets (also: QSSL_TF_PLUGINS)",
        )

    def format_help(self) -> str:
        """Return the help, with a usage of one line: flags by the dozen are below, and stand in groups there."""
        places = [action for action in self._actions if not action.option_strings]
        names = [f"[{a.metavar or a.dest}]" if a.nargs == "?" else str(a.metavar or a.dest) for a in places]
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
        load_plugins(known.plugin)
        return known


def add_config_flags(parser: argparse.ArgumentParser, only: tuple[str, ...] = ("",)) -> None:
    """Add one flag for each field of Config whose name starts with one of `only` (`batch_size` is `--batch-size`)."""
    hints = get_type_hints(Config)
    group: argparse._ActionsContainer = parser
    for item in fields(Config):
        if item.name in GROUPS and any(name.startswith(only) for name in _members(item.name)):
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


def _members(first: str) -> list[str]:
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
        UserError: An unknown preset, a bad file, or a value that Config refuses.
    """
    if arguments.preset is not None and arguments.config is not None:
        raise UserError("--preset and --config both name settings to start from; give one of them.")
    base = Config.from_json(named(arguments.config)) if arguments.config else preset(arguments.preset or default)
    return Config.from_dict(base.to_dict() | given_settings(arguments))


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


def run_command(main: Callable[[], int | None]) -> int:
    """Run a command and turn what a user can mend into one line on stderr.

    Returns:
        The exit code: what `main` returns (nothing is 0), 2 a user's mistake or a file that cannot be written, 130
        stopped by Ctrl-C, SIGTERM or SIGHUP, 141 nobody reads its output.
    """
    mend_streams()
    with listening() as ctrl_c:
        try:
            return _ended(main, ctrl_c)
        except KeyboardInterrupt:  # came while the command was at its last line
            _say(ctrl_c.line())
    return ctrl_c.end()


def _ended(main: Callable[[], int | None], ctrl_c: CtrlC) -> int:
    try:
        return main() or 0
    except BaseException as error:
        if isinstance(error, SystemExit) or not (ctrl_c.came or isinstance(error, KeyboardInterrupt)):
            return _told(error)
        _say(ctrl_c.line(error))
    return ctrl_c.end()


def _say(line: str) -> None:
    """Write a last line to stderr; if that is a file on a full disk, it cannot be said, and is no error of its own."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _told(error: BaseException) -> int:
    """Say what a user can mend and return the exit code; raise anything else again."""
    if isinstance(error, UserError):
        _say(f"error: {error}")
        return 2
    if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more at its end
        return 141
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        remedy = REMEDIES.get(error.errno or 0, "make room or permission there and try again")
        _say(f"error: {name}{error.strerror or error}; {remedy}.")
        return 2
    raise error
