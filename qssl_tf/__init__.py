"""Quantum self-supervised learning with TensorFlow, Keras 3 and TensorFlow Quantum (arXiv:2103.14653)."""

from importlib import import_module
from typing import Any

from qssl_tf import interrupts as _interrupts

_interrupts.listen_as_module()  # before what takes time

from qssl_tf import environment as _environment  # noqa: E402

_environment.prepare()

__version__ = "0.1.0"

# Public name -> the module it lives in. Loaded on first use: `--help` must not wait for TensorFlow.
_HOMES = {
    "BoundedAngle": "qssl_tf.models.encoders",
    "Config": "qssl_tf.config",
    "ImageData": "qssl_tf.data.images",
    "NTXent": "qssl_tf.models.losses",
    "PRESETS": "qssl_tf.presets",
    "QuantumHead": "qssl_tf.quantum.head",
    "SimCLR": "qssl_tf.models.simclr",
    "TrainedRun": "qssl_tf.evaluation.trained_run",
    "UserError": "qssl_tf.errors",
    "augmentation": "qssl_tf.data.augment",
    "build_encoder": "qssl_tf.models.encoders",
    "build_projector": "qssl_tf.models.simclr",
    "draw_circuit": "qssl_tf.device.draw",
    "draw_run": "qssl_tf.reports.figures",
    "from_preset": "qssl_tf.evaluation.trained_run",
    "linear_probe": "qssl_tf.api",
    "load_run": "qssl_tf.evaluation.trained_run",
    "pretrain": "qssl_tf.api",
    "register_ansatz": "qssl_tf.quantum.own_ansatz",
    "register_dataset": "qssl_tf.data.own_dataset",
    "register_encoder": "qssl_tf.models.own_encoder",
    "resume": "qssl_tf.api",
    "run_on_device": "qssl_tf.api",
    "sample_views": "qssl_tf.data.views",
    "to_qiskit": "qssl_tf.device.translate",
    "view_pairs": "qssl_tf.data.pipeline",
    "write_report": "qssl_tf.reports.report",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qssl_tf' has no attribute '{name}'; it has {', '.join(__all__)}.")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
