"""ARMS: the heads that the paper compares, and the controls that its critics ask for (arXiv:2403.07059)."""

import functools
import operator
from dataclasses import dataclass, field, replace
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import unknown_name
from qssl_tf.presets import preset
from qssl_tf.registry import WORDS


@dataclass(frozen=True)
class Arm:
    """One way to build the head; everything else is the paper's preset.

    Attributes:
        about: A short description.
        settings: Fields of Config that differ from the preset.
        published: Whether the paper reports it.
    """

    about: str
    settings: dict[str, Any] = field(default_factory=dict)
    published: bool = False


SHOTS = {"shots": 100, "gradient": "parameter_shift"}
# Name -> arm. With equal seeds all arms share initial encoder, data order and views.
ARMS: dict[str, Arm] = {
    "ring": Arm("RY and controlled RX in a ring, 2 layers", published=True),
    "all_to_all": Arm("RY and CX between all pairs, 3 layers", {"ansatz": "all_to_all", "layers": 3}, published=True),
    "ring_100_shots": Arm("ring, all expectations from 100 shots", SHOTS, published=True),
    "ring_100_shots_partial_measurement": Arm(
        "the same, every other qubit measured after layer 1", SHOTS | {"partial_measurement": True}, published=True
    ),
    "classical": Arm("2 dense layers with LeakyReLU, angles bounded as the paper has it", {"head": "classical"}, True),
    "identity": Arm("no head: the encoder's angles", {"head": "identity"}),
    "classical_centred": Arm("classical, angles centred by tanh", {"head": "classical", "angle_bound": "centred"}),
    "classical_unbounded": Arm("classical, no bound", {"head": "classical", "angle_bound": "none"}),
    "trigonometric": Arm("cosine and sine of the angles, no weights", {"head": "trigonometric"}),
    "ring_frozen": Arm("ring whose weights stay as they were drawn", {"train_head": False}),
    "ry_only": Arm("RY layers without entanglers", {"ansatz": "none"}),
    "ring_two_term": Arm("ring with the gradient rule of the published code", {"gradient": "two_term"}),
}


# `qssl noise fake_paris --qubits 8`: the device's calibration, averaged.
PARIS_AVERAGES = (
    "readout=0.0424,depolarizing=0.000485,amplitude_damping=0.00051,phase_damping=0.000672,"
    "depolarizing_2q=0.0077,amplitude_damping_2q=0.00614,phase_damping_2q=0.00808"
)
# The ring trained for a device, exactly or by averages; arms of the studies `noise` and `noise-digits`.
NOISE_ARMS: dict[str, Arm] = {
    "ring_averages": Arm("ring under channels with the averages of fake_paris", {"noise": PARIS_AVERAGES}),
    "ring_twin": Arm("ring under the noise of fake_paris, gate by gate", {"noise": "fake_paris"}),
}


# Two expectations for each qubit, from the same shots: Z of it, and of it with its neighbour in the ring.
RING_16 = ",".join([*(f"Z{qubit}" for qubit in range(8)), *(f"Z{qubit}Z{(qubit + 1) % 8}" for qubit in range(8))])


def _rivals(features: int) -> dict[str, Arm]:
    """Return the heads without a circuit that give so many features of the same eight angles."""
    count = {"head_features": features}
    return {
        f"cosines_{features}": Arm(
            f"{features} cosines of sums of the angles, frequencies and phases trained", {"head": "cosines"} | count
        ),
        f"fourier_{features}": Arm(
            f"{features} random Fourier features of the angles, not trained", {"head": "fourier"} | count
        ),
        f"mlp_{features}": Arm(
            f"dense layers of 32 and {features} units, ReLU between them", {"head": "mlp", "head_hidden": 32} | count
        ),
    }


# Equal features, equal budget: a linear probe reads more of more features, so a circuit is compared with rivals that
# give as many. Number of features -> name -> arm, the circuit first; arms of the studies `features-8`, `-16` and `-36`.
FEATURE_ARMS: dict[int, dict[str, Arm]] = {
    8: {
        "ring": ARMS["ring"],
        "trigonometric_8": Arm("8 cosines of the angles, no weights", {"head": "trigonometric", "head_features": 8}),
        **_rivals(8),
    },
    16: {
        "ring_16": Arm("ring, Z of each qubit and ZZ of neighbours: 16 observables", {"observables": RING_16}),
        "trigonometric": ARMS["trigonometric"],
        **_rivals(16),
    },
    36: {
        "ring_36": Arm("ring, Z of each qubit and ZZ of each pair: 36 observables", {"observables": "z_zz"}),
        "trigonometric_36": Arm(
            "cosines, sines and 20 products of two of neighbouring angles, no weights",
            {"head": "trigonometric", "head_features": 36},
        ),
        **_rivals(36),
    },
}


# All arms that come with the package.
LIBRARY: dict[str, Arm] = functools.reduce(operator.or_, FEATURE_ARMS.values(), ARMS | NOISE_ARMS)
PLUGIN_SETTINGS = ("ansatz", "encoder")  # what a user registers for these settings becomes an arm as well


def registered_arms() -> dict[str, Arm]:
    """Return an arm for each circuit and encoder that the user registered: the ring with that one setting changed.

    It is named after the circuit or encoder, with the setting as a prefix if that name is taken.
    """
    arms: dict[str, Arm] = {}
    for setting in PLUGIN_SETTINGS:
        for word in WORDS[setting].own:
            name = word if word not in LIBRARY and word not in arms else f"{setting}_{word}"
            arms[name] = Arm(f"own {setting} {word}", {setting: word})
    return arms


def arm(name: str) -> Arm:
    """Return the arm of that name.

    Raises:
        UserError: There is none; the message lists the valid names.
    """
    arms = LIBRARY | registered_arms()
    if name not in arms:
        raise unknown_name("arm", name, arms)
    return arms[name]


def arm_config(name: str, seed: int) -> Config:
    """Return the settings of one run of an arm.

    Raises:
        UserError: No arm has that name; the message lists the valid ones.
    """
    return replace(preset("paper"), **arm(name).settings, seed=seed)
