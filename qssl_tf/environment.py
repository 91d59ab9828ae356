"""The check made at `import qssl_tf`: Keras 3 on TensorFlow, in versions that work together."""

import atexit
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata

from qssl_tf.errors import UserError

# Distribution, lowest version, first version known not to work or not tested.
REQUIREMENTS = (
    ("tensorflow", (2, 18), (2, 22)),
    ("keras", (3, 15), (3, 16)),
    ("cirq-core", (1, 5), (1, 8)),
    ("numpy", (2, 0), (3,)),
)
# First TensorFlow without this limit, and the distribution, its lowest version and the first that does not work.
OLD_TENSORFLOW = (
    ((2, 19), ("numpy", (2, 0), (2, 1))),
    ((2, 20), ("tensorflow-metadata", (0,), (1, 18))),  # later ones need a protobuf that it cannot use
)
TESTED = {"tensorflow": "2.18.1, 2.20.0 and 2.21.0"}  # where not every version of a range was
WITH_TFQ = (platform.system(), platform.machine()) == ("Linux", "x86_64") and sys.version_info < (3, 13)  # its wheels
# The versions that were tested; those of constraints-newest.txt need Python 3.12.
CONSTRAINTS = "-c constraints.txt " if WITH_TFQ else "-c constraints-newest.txt " if sys.version_info >= (3, 12) else ""
REMEDY = f"run `make install`, or `pip install {CONSTRAINTS}-e .`"


class EnvironmentProblem(UserError, ImportError):
    """The installed packages or environment variables cannot work; the message holds the remedy."""


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def fits(low: tuple[int, ...], high: tuple[int, ...], version: str) -> bool:
    """Return whether `low` <= version < `high`."""
    return low <= _numbers(version) < high


def bounds(low: tuple[int, ...], high: tuple[int, ...]) -> str:
    """Return a range of versions in words."""
    return f"at least {'.'.join(map(str, low))} and below {'.'.join(map(str, high))}"


def version_problem(name: str, low: tuple[int, ...], high: tuple[int, ...], installed: str | None) -> str | None:
    """Say in one sentence what is wrong with an installed version, or None if it fits `low` <= version < `high`."""
    if installed is None:
        return f"{name} is not installed for this Python ({sys.executable}); {REMEDY}."
    if fits(low, high, installed):
        return None
    tested = f" ({TESTED[name]} were tested)" if name in TESTED else ""
    return f"{name} must be {bounds(low, high)}{tested}; found {installed}; {REMEDY}."


def usable_cores() -> int:
    """Return how many cores this process may use; not every system can limit it to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed(name: str) -> str | None:
    """Return the version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirements() -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Return distributions with their lowest version and the first that is not taken, beside this TensorFlow."""
    tensorflow = _numbers(installed("tensorflow") or "")
    return [*REQUIREMENTS, *(entry for before, entry in OLD_TENSORFLOW if () < tensorflow < before)]


def problems() -> list[str]:
    """Return one sentence for each thing in this environment that the package cannot work with."""
    found = []
    if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true"):
        found.append(
            "TF_USE_LEGACY_KERAS is set, which turns tf.keras into Keras 2; "
            "qssl_tf needs Keras 3: run `unset TF_USE_LEGACY_KERAS`."
        )
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    loaded = sys.modules.get("keras")
    if loaded is not None and hasattr(loaded, "backend"):
        backend = loaded.backend.backend()
    if backend != "tensorflow":
        found.append(
            f"Keras must run on the tensorflow backend; found '{backend}': "
            "run `export KERAS_BACKEND=tensorflow` before Python starts."
        )
    for name, low, high in requirements():
        problem = version_problem(name, low, high, installed(name))
        if problem:
            found.append(problem)
    return found


def has_home() -> bool:
    """Return whether this user has a home folder, by HOME or by the system's list of users; in containers some lack."""
    return os.path.expanduser("~") != "~"


def is_own_command() -> bool:
    """Return whether this process is one of the package's own commands, `qssl` or `python -m qssl_tf…`."""
    first, second = [*sys.orig_argv[1:3], "", ""][:2]
    return first.rsplit("/", 1)[-1] == "qssl" or (first == "-m" and second.startswith("qssl_tf"))


def check() -> None:
    """Refuse an environment that cannot work.

    Raises:
        EnvironmentProblem: One sentence a violation, each with its remedy.
    """
    found = problems()
    if found:
        raise EnvironmentProblem(" ".join(found))


def settle_without_home() -> None:
    """Give libraries that keep settings in the home folder one that ends with this process.

    Keras would make a folder called `~` where the user stands. A name that others can guess would let them choose the
    settings.
    """
    names = [name for name in ("KERAS_HOME", "MPLCONFIGDIR") if name not in os.environ]
    if names and not has_home():
        folder = tempfile.mkdtemp(prefix="qssl_tf-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ.update(dict.fromkeys(names, folder))
