"""Whether TensorFlow Quantum can be used here, and in words why not: the one place that decides it.

It has wheels for few machines. Without it everything works but `simulator=tfq`, and noise that only its trajectories
can sample.
"""

import functools
import importlib.util
import warnings
from importlib import import_module
from types import ModuleType

from qssl_tf.environment import REMEDY, WITH_TFQ, bounds, fits, installed
from qssl_tf.errors import UserError, reason

WHEELS = "it has wheels for Linux on x86-64, Python up to 3.12 and TensorFlow 2.18 only"
# What it was built for: distribution, lowest version, first version that does not fit.
REQUIREMENTS = (
    ("tensorflow-quantum", (0, 7, 6), (0, 8)),
    ("tensorflow", (2, 18), (2, 19)),
    ("cirq-core", (1, 5), (1, 6)),
    ("numpy", (2, 0), (2, 1)),
)
OTHERS = "auto, xla or pauli"  # simulators of this package, and who chooses among them


def is_installed() -> bool:
    """Return whether there is something to load, whether it can be loaded or not."""
    return importlib.util.find_spec("tensorflow_quantum") is not None


def obstacle() -> str | None:
    """Return why it cannot be used as far as that is known without loading it, or None."""
    if not is_installed():
        return f"TensorFlow Quantum is not installed: {REMEDY if WITH_TFQ else WHEELS}"
    for name, low, high in REQUIREMENTS:
        found = installed(name)
        if found is None or not fits(low, high, found):
            return (
                f"TensorFlow Quantum {installed('tensorflow-quantum')} is installed but cannot be used here: it needs "
                f"{name} {bounds(low, high)}; found {found}"
            )
    return None


@functools.cache
def _loaded() -> tuple[ModuleType | None, str | None]:
    """Return the module and None, or None and why not; warn once of one that is installed and cannot be used."""
    why = obstacle()
    if why is None:
        try:
            return import_module("tensorflow_quantum"), None
        except Exception as error:  # its compiled parts fail in many ways beside a TensorFlow they were not built for
            found = f"TensorFlow Quantum {installed('tensorflow-quantum')} is installed but cannot be loaded"
            why = f"{found}: {type(error).__name__}: {reason(error)}"
    if is_installed():
        warnings.warn(f"{why}; qssl_tf works without it, except for `simulator` tfq.", UserWarning, stacklevel=2)
    return None, why


def tensorflow_quantum() -> ModuleType | None:
    """Return the module, loaded, or None where it cannot be used."""
    return _loaded()[0]


def why_absent() -> str | None:
    """Return in words why `tensorflow_quantum` is None; None if it is there."""
    return _loaded()[1]


def refuse_absent(simulator: str, why: str | None) -> None:
    """Refuse the simulator tfq for a reason of `obstacle` or `why_absent`.

    Raises:
        UserError: There is a reason, and the simulator is tfq.
    """
    if simulator == "tfq" and why:
        raise UserError(
            f"`simulator` must be {OTHERS} on this machine, which have the same weights and files; got 'tfq'. {why}."
        )


def or_trajectories(remedy: str) -> str:
    """Return a remedy, with TensorFlow Quantum's trajectories as another one where they can be had."""
    return f"{remedy}, or channels with `shots` and a `gradient` other than adjoint" if why_absent() is None else remedy


def or_tfq(remedy: str) -> str:
    """Return a remedy, with the simulator of TensorFlow Quantum as another one where it can be had."""
    return f"{remedy}, or take `simulator` tfq" if why_absent() is None else remedy
