"""One table of every registered class: config round trip, and arguments that are attributes that are config keys."""

import inspect

import keras
import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.data import augment, geometric, photometric
from qssl_tf.models.batch_norm import BatchNormalization
from qssl_tf.models.build import build_simclr
from qssl_tf.models.convolution import Conv2D
from qssl_tf.models.encoders import BoundedAngle, CentredAngle
from qssl_tf.models.fourier import FourierFeatures, TrainedCosines
from qssl_tf.models.optimizers import AdamL2, SharedLossScale
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.models.simclr import SimCLR
from qssl_tf.models.trigonometric import TrigonometricFeatures
from qssl_tf.objectives.contrastive import DecoupledContrastive, NTXent, SupervisedContrastive
from qssl_tf.objectives.custom import OwnObjective, register_objective
from qssl_tf.objectives.fidelity import Fidelity
from qssl_tf.objectives.predictive import BYOL, SimSiam
from qssl_tf.objectives.queue import MoCo, Queue
from qssl_tf.objectives.redundancy import BarlowTwins, VICReg


def own_objective():
    register_objective("mean_square")(lambda z_a, z_b: (z_a - z_b) ** 2)
    return OwnObjective("mean_square")


def built(**settings):
    """Return the learner of settings, without its optimizer."""
    return build_simclr(Config(width=3, **settings), (8, 8, 1), augment.AUGMENTATIONS["digits"](8)).uncompiled()


# One instance each, with no argument at its default.
INSTANCES = {
    "RandomResizedCrop": lambda: geometric.RandomResizedCrop(5, min_area=0.3, ratio=1.2),
    "RandomColorJitter": lambda: photometric.RandomColorJitter(0.1, 0.2, 0.3, 0.05, 0.6),
    "RandomGrayscale": lambda: photometric.RandomGrayscale(0.7),
    "RandomFlip": lambda: geometric.RandomFlip(0.9),
    "RandomBlur": lambda: geometric.RandomBlur(5, 0.3),
    "Augmentation": lambda: augment.Augmentation([geometric.RandomFlip(0.9), geometric.RandomResizedCrop(5)]),
    "BatchNormalization": lambda: BatchNormalization(momentum=0.8, epsilon=1e-4),
    "Conv2D": lambda: Conv2D(5, 3, 2),
    "BoundedAngle": lambda: BoundedAngle(),
    "CentredAngle": lambda: CentredAngle(),
    "FourierFeatures": lambda: FourierFeatures(5, bandwidth=0.7, seed=3),
    "TrainedCosines": lambda: TrainedCosines(5),
    "TrigonometricFeatures": lambda: TrigonometricFeatures(7),
    "NTXent": lambda: NTXent(0.3),
    "DecoupledContrastive": lambda: DecoupledContrastive(0.3),
    "SupervisedContrastive": lambda: SupervisedContrastive(0.3),
    "BarlowTwins": lambda: BarlowTwins(0.3),
    "VICReg": lambda: VICReg(0.3),
    "SimSiam": lambda: SimSiam("sum"),
    "BYOL": lambda: BYOL("sum"),
    "Fidelity": lambda: Fidelity(0.3, 4, (0, 1), "swap", 20, 7),
    "MoCo": lambda: MoCo(0.3),
    "OwnObjective": own_objective,
    "Queue": lambda: Queue(7, 3),
    "TargetNetwork": lambda: built(objective="byol", target_rate=0.7).target,
    "AdamL2": lambda: AdamL2(0.02, l2=0.5),
    "SharedLossScale": lambda: SharedLossScale(AdamL2(0.02, l2=0.5), initial_scale=1024.0, dynamic_growth_steps=5),
    "QuantumHead": lambda: QuantumHead(
        3, "all_to_all", 2, "angle_y", "z_zz", 50, "spsa", "readout=0.1", "layer", True, "tfq", seed=4
    ),
    "SimCLR": built,
}
# Their arguments are Keras objects, or their parents' own.
NOT_PLAIN = ("AdamL2", "SharedLossScale", "SimCLR", "TargetNetwork", "Augmentation", "BatchNormalization", "Conv2D")


def test_the_table_is_complete():
    registered = {name.removeprefix("qssl_tf>") for name in keras.saving.get_custom_objects() if "qssl_tf>" in name}
    assert registered == set(INSTANCES)


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.usefixtures("own_words")
def test_config_round_trip(name):
    made = INSTANCES[name]()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize("name", [name for name in INSTANCES if name not in NOT_PLAIN])
@pytest.mark.usefixtures("own_words")
def test_arguments_are_attributes_are_config_keys(name):
    made = INSTANCES[name]()
    signature = inspect.signature(type(made).__init__).parameters.values()
    own = [p.name for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("self", "dtype")]
    config = made.get_config()
    for argument in own:
        assert argument in config and getattr(made, argument) == config[argument], argument


def test_weight_names_are_plain():
    model = INSTANCES["SimCLR"]()
    assert isinstance(model, SimCLR)
    paths = [weight.path for weight in model.trainable_weights]
    assert len(set(paths)) == len(paths)
    assert "head/parameters" in " ".join(paths)
    assert np.all(["/" in path for path in paths])
