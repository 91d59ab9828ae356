"""`qssl search`: a search for better circuits, encoders and recipes."""

from pathlib import Path

from qssl_tf.cli.flags import Parser, add_base_flags, add_config_flags
from qssl_tf.cli.strategy_flags import add_secret_flag
from qssl_tf.interrupts import how_to_go_on


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Try settings, judge each by a linear probe on held-out images.")
    flags.add_argument("--name", help="name of the search's folder (default: data set, space and time)")
    flags.add_argument(
        "--searches-dir", type=Path, default=Path("searches"), metavar="DIR", help="folder of all searches"
    )
    flags.add_argument(
        "--resume", nargs="?", const="", metavar="SEARCH", help="continue a search (default: the newest)"
    )
    flags.add_argument(
        "--space",
        metavar="NAME",
        help="what varies: circuit (default), rivals, shots, encoder, recipe, objective, overlaps or all",
    )
    flags.add_argument(
        "--vary", action="append", metavar="NAME=VALUES", help="vary a setting: width=4,6,8 or temperature=0.05:1:log"
    )
    flags.add_argument("--algorithm", metavar="NAME", help="random (default), bayesian, hyperband or grid")
    flags.add_argument("--trials", type=int, metavar="N", help="how many (default: 6; all of a grid)")
    flags.add_argument(
        "--goal",
        metavar="NAME",
        help="validation_accuracy (default), balanced_accuracy, contrastive_accuracy, loss, parameters or seconds",
    )
    flags.add_argument("--search-seed", type=int, metavar="N", help="seed of the choices (default: 0)")
    flags.add_argument("--role", choices=("chief", "worker"), help="part in a search on several processes or machines")
    flags.add_argument("--chief", metavar="HOST:PORT", help="where the chief listens")
    add_secret_flag(flags)
    flags.add_argument("--silence", type=float, metavar="S", help="seconds until a silent worker is lost (default: 60)")
    add_base_flags(flags)
    add_config_flags(flags)
    return flags


def main() -> None:
    """Open or make the search, run it in the wanted role, look at the result."""
    arguments = parser().parse_args()

    from qssl_tf.cli.search_plan import check_together, folder_and_plan
    from qssl_tf.search.folder import going_on
    from qssl_tf.search.roles import ROLES, SILENCE, Connection

    check_together(arguments)
    folder, plan = folder_and_plan(arguments)
    if arguments.role == "worker":
        how_to_go_on("its trial goes to another worker.")
    elif arguments.resume is not None:
        how_to_go_on(going_on(folder))
    connection = Connection(arguments.chief, arguments.secret_file, arguments.silence or SILENCE)
    ROLES[arguments.role or "alone"](folder, plan, connection)
