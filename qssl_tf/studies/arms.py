"""ARMS: what the paper compares, and the controls that its critics ask for (arXiv:2403.07059)."""

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
        about: What it is, in a few words.
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


OWN_ARMS = ("ansatz", "encoder")  # settings whose own words, registered by the user, are arms as well


def own_arms() -> dict[str, Arm]:
    """Return the arms that the user's own circuits and encoders make: the ring's settings with that word.

    An arm has the word's name, or that of its setting before it where the name is taken.
    """
    found: dict[str, Arm] = {}
    for setting in OWN_ARMS:
        for word in WORDS[setting].own:
            name = word if word not in ARMS and word not in found else f"{setting}_{word}"
            found[name] = Arm(f"own {setting} {word}", {setting: word})
    return found


def arm(name: str) -> Arm:
    """Return the arm of that name.

    Raises:
        UserError: There is none; the valid ones are listed.
    """
    known = own_arms() | ARMS
    if name not in known:
        raise unknown_name("arm", name, known)
    return known[name]


def arm_config(name: str, seed: int) -> Config:
    """Return the settings of one run of an arm.

    Raises:
        UserError: No arm has that name; the valid ones are listed.
    """
    return replace(preset("paper"), **arm(name).settings, seed=seed)
