"""Quantum self-supervised learning with TensorFlow, Keras 3 and TensorFlow Quantum (arXiv:2103.14653)."""

import os as _os
from importlib import import_module as _import_module
from typing import Any as _Any

from qssl_tf import environment as _environment
from qssl_tf import keras_classes as _keras_classes

_os.environ.setdefault("KERAS_BACKEND", "tensorflow")
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if _os.uname().machine == "x86_64":
    # TensorFlow takes oneDNN's convolutions unasked only where a processor has AVX-512 VNNI; on one with AVX2 a step of
    # ResNet-18 is 2.5 times as fast with them (benchmarks/onednn.py). Without effect if TensorFlow is loaded already.
    _os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
_environment.settle_without_home()
if not _environment.is_own_command():  # a command says in one line what is wrong
    _environment.check()
_keras_classes.register_with_keras()

__version__ = "0.2.0"

# Public name -> the module it lives in. Loaded on first use: `--help` must not wait for TensorFlow.
_HOMES = {
    "BoundedAngle": "qssl_tf.models.encoders",
    "Config": "qssl_tf.config",
    "ImageData": "qssl_tf.data.images",
    "NTXent": "qssl_tf.objectives.contrastive",
    "PRESETS": "qssl_tf.presets",
    "QuantumHead": "qssl_tf.models.quantum_head",
    "SimCLR": "qssl_tf.models.simclr",
    "TrainedRun": "qssl_tf.evaluation.trained_run",
    "UserError": "qssl_tf.errors",
    "augmentation": "qssl_tf.data.augment",
    "build_encoder": "qssl_tf.models.encoders",
    "build_projector": "qssl_tf.models.build",
    "compare": "qssl_tf.studies.compare",
    "draw_circuit": "qssl_tf.device.draw",
    "draw_run": "qssl_tf.reports.figures",
    "evaluate": "qssl_tf.api",
    "load_pretrained": "qssl_tf.evaluation.trained_run",
    "linear_probe": "qssl_tf.api",
    "load_run": "qssl_tf.evaluation.trained_run",
    "make_store": "qssl_tf.data.store.making",
    "pretrain": "qssl_tf.api",
    "register_ansatz": "qssl_tf.quantum.custom_ansatz",
    "register_dataset": "qssl_tf.data.custom_dataset",
    "register_encoder": "qssl_tf.models.custom_encoder",
    "register_objective": "qssl_tf.objectives.custom",
    "resume": "qssl_tf.api",
    "run_on_device": "qssl_tf.api",
    "sample_views": "qssl_tf.data.views",
    "to_qiskit": "qssl_tf.compiler.translate",
    "view_pairs": "qssl_tf.data.pipeline",
    "write_report": "qssl_tf.reports.report",
}
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qssl_tf' has no attribute '{name}'; it has {', '.join(__all__)}.")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
