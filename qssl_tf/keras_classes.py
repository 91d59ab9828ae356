"""The package's Keras classes, known to Keras from `import qssl_tf` on and loaded once a file names one.

`keras.saving.load_model` builds registered classes alone, and registering ours would load TensorFlow Quantum. So each
name is registered with a stand-in, which loads its class when Keras builds it. Keras may be imported later than this
package: a finder waits for it, and is gone once it came.
"""

import importlib.abc
import importlib.machinery
import sys
from importlib import import_module
from typing import Any

PACKAGE = "qssl_tf"
# Class, as `keras.saving.register_keras_serializable(package="qssl_tf")` names it -> its module.
CLASSES = {
    "AdamL2": "models.optimizers",
    "Augmentation": "data.augment",
    "BYOL": "objectives.predictive",
    "BarlowTwins": "objectives.redundancy",
    "BatchNormalization": "models.batch_norm",
    "BoundedAngle": "models.encoders",
    "CentredAngle": "models.encoders",
    "Conv2D": "models.convolution",
    "DecoupledContrastive": "objectives.contrastive",
    "Fidelity": "objectives.fidelity",
    "FourierFeatures": "models.fourier",
    "MoCo": "objectives.queue",
    "NTXent": "objectives.contrastive",
    "OwnObjective": "objectives.custom",
    "QuantumHead": "models.quantum_head",
    "Queue": "objectives.queue",
    "RandomBlur": "data.geometric",
    "RandomColorJitter": "data.photometric",
    "RandomFlip": "data.geometric",
    "RandomGrayscale": "data.photometric",
    "RandomResizedCrop": "data.geometric",
    "SharedLossScale": "models.optimizers",
    "SimCLR": "models.simclr",
    "SimSiam": "objectives.predictive",
    "SupervisedContrastive": "objectives.contrastive",
    "TargetNetwork": "models.target",
    "TrainedCosines": "models.fourier",
    "TrigonometricFeatures": "models.trigonometric",
    "VICReg": "objectives.redundancy",
}


class StandIn:
    """What Keras finds under a class's name until the class is loaded, which then takes its place."""

    def __init__(self, name: str):
        """Stand for the class `name`, a key of CLASSES."""
        self.name = name

    def from_config(self, *config: Any, **custom_objects: Any) -> Any:
        """Load the class, which registers itself, and build it."""
        home = import_module(f"{PACKAGE}.{CLASSES[self.name]}")
        return getattr(home, self.name).from_config(*config, **custom_objects)


def register(keras: Any) -> None:
    """Register a stand-in for each class that is not loaded yet."""
    known = keras.saving.get_custom_objects()
    for name in CLASSES:
        known.setdefault(f"{PACKAGE}>{name}", StandIn(name))


def register_with_keras() -> None:
    """Register the stand-ins now if Keras is loaded, else as soon as it is."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "saving"):
        register(keras)
    else:
        sys.meta_path.insert(0, _WaitForKeras())


class _WaitForKeras(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        # The path finder alone, for a search through sys.meta_path would come back here.
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader, self)
        return spec


class _Registering(importlib.abc.Loader):
    def __init__(self, loader: Any, finder: importlib.abc.MetaPathFinder):
        self._loader, self._finder = loader, finder

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader  # as if nobody had waited: it also finds resources
        self._loader.exec_module(module)
        register(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
