"""PRESETS: complete settings by name."""

from dataclasses import replace

from qssl_tf.config import Config
from qssl_tf.errors import unknown_name

_PAPER = Config(
    dataset="cifar10",
    classes=(0, 1, 2, 3, 4),
    augmentation="simclr",
    encoder="resnet18",
    temperature=0.07,
    epochs=2,
    learning_rate=1e-3,
    checkpoint_every=13,
    probe_batch_size=256,
    probe_learning_rate=1e-3,
)

# Found on held-out training images (docs/search.md): features for a linear probe, from eight qubits, in little time.
_BEST = replace(
    _PAPER,
    encoder="vgg_small",
    crop_area=0.15,
    jitter=0.85,
    angle_norm=True,
    ansatz="strongly_entangling",
    encoding="amplitude",
    observables="z_zz",
    projector=(128, 64),
    temperature=0.1,
    batch_size=128,
    learning_rate=2.5e-3,
    schedule="cosine",
    warmup=0.1,
    checkpoint_every=195,  # once an epoch
    probe_protocol="clean",
    probe_learning_rate=0.1,
)

# Name -> settings. `digits` needs no download, and a search tries `digits-short` where nothing else is named. The
# `paper` family is arXiv:2103.14653, Section 4.
PRESETS: dict[str, Config] = {
    "digits": Config(),
    "digits-short": Config(steps=150, probe_epochs=50),
    "paper": _PAPER,
    "paper-all-to-all": replace(_PAPER, ansatz="all_to_all", layers=3),
    "paper-classical": replace(_PAPER, head="classical"),
    "paper-identity": replace(_PAPER, head="identity"),
    "paper-100-shots": replace(_PAPER, shots=100, gradient="parameter_shift"),
    "paper-100-shots-partial": replace(_PAPER, shots=100, gradient="parameter_shift", partial_measurement=True),
    "best": _BEST,
    "best-classical": replace(_BEST, head="classical", width=36),
    "best-identity": replace(_BEST, head="identity", width=36),
}


def preset(name: str) -> Config:
    """Return the preset called `name`.

    Raises:
        UserError: No preset has that name; the valid ones are listed.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]
