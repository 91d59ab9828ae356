"""Quantum self-supervised learning with TensorFlow, Keras 3 and TensorFlow Quantum (arXiv:2103.14653)."""

from importlib import import_module
from typing import Any

from qssl_tf import environment as _environment

_environment.prepare()

__version__ = "0.1.0"

# Public name -> the module it lives in. Loaded on first use: `--help` must not wait for TensorFlow.
_HOMES = {
    "Config": "qssl_tf.config",
    "NTXent": "qssl_tf.models.losses",
    "PRESETS": "qssl_tf.presets",
    "QuantumHead": "qssl_tf.quantum.head",
    "SimCLR": "qssl_tf.models.simclr",
    "UserError": "qssl_tf.errors",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qssl_tf' has no attribute '{name}'; it has {', '.join(__all__)}.")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
