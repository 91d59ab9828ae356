"""STUDIES: the experiments, each with its runs, the batches to probe, and what is compared.

The arms and the two-class run are those of arXiv:2103.14653, Section 4 and Appendix; the other studies vary width,
training images, layers or epochs, one at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.presets import preset
from qssl_tf.studies.arms import ARMS, FEATURE_ARMS, NOISE_ARMS, arm, arm_config, registered_arms

# The paper probes after every 13th batch of each of its two epochs of 97 batches, starting with the first.
PUBLISHED_BATCHES = (*range(1, 97, 13), *range(98, 194, 13))
TABLE_BATCH, LAST_BATCH = 176, 194
SEEDS, CONTROL_SEEDS, REGISTERED_SEEDS = 6, 3, 10


@dataclass(frozen=True)
class Condition:
    """An experimental condition: runs that differ only in their seed.

    Attributes:
        name: Its name, as in the run folders `<name>-s<seed>`.
        series: The curve it belongs to: the name of an arm.
        value: Its place on the `axis` of the study; None where curves run over batches.
        config: Settings, with seed 0.
        seeds: Number of seeds that make it complete.
    """

    name: str
    series: str
    value: int | None
    config: Config
    seeds: int

    def with_seed(self, seed: int) -> Config:
        """Return the settings of one run."""
        return replace(self.config, seed=seed)


@dataclass(frozen=True)
class Study:
    """An experiment.

    Attributes:
        about: A short description.
        conditions: Its conditions.
        batches: The batches after which to probe.
        table_batch: The batch whose accuracies are compared.
        axis: What `Condition.value` is; None where curves run over batches.
        baseline: The arm that others are compared with, seed by seed.
        on_devices: Whether each trained circuit is read on noisy devices, see `studies.noise`.
    """

    about: str
    conditions: tuple[Condition, ...]
    batches: tuple[int, ...]
    table_batch: int
    axis: str | None = None
    baseline: str = "ring"
    on_devices: bool = False


def _arms() -> tuple[Condition, ...]:
    seeds = {name: SEEDS if arm.published or name == "identity" else CONTROL_SEEDS for name, arm in ARMS.items()}
    seeds["ring_100_shots_partial_measurement"] = CONTROL_SEEDS
    return tuple(Condition(name, name, None, arm_config(name, 0), seeds[name]) for name in ARMS)


def _sweep(setting: str, values: Sequence[int], arms: Sequence[str], **fixed: Any) -> tuple[Condition, ...]:
    """Return a condition for each arm and value of one setting."""
    return tuple(
        Condition(f"{arm}-{setting}-{value}", arm, value, replace(arm_config(arm, 0), **fixed | {setting: value}), 3)
        for value in values
        for arm in arms
    )


def _two_classes() -> Condition:
    """Return the paper's run whose quantum states it looks at: two classes, no projector, 169 batches, 39 an epoch."""
    config = replace(arm_config("ring", 0), classes=(0, 1), project=False, steps=169, checkpoint_every=3)
    return Condition("two_classes", "ring", None, config, CONTROL_SEEDS)


LONG_EPOCHS = 10  # with a constant learning rate, a shorter run is the beginning of a longer one
LONG_BATCHES = (1, *range(195, LONG_EPOCHS * 97, 194), LONG_EPOCHS * 97)  # every two epochs

DIGITS_BATCHES = (1, 41, 81, 120)


def _digits() -> tuple[Condition, ...]:
    """Return three arms on the embedded digits: the whole procedure in three minutes and without a download."""
    # `augmentation` is spelt out because runs of this study were recorded before `auto` existed.
    base = replace(preset("digits"), augmentation="digits", steps=DIGITS_BATCHES[-1], checkpoint_every=40)
    return tuple(
        Condition(f"digits-{name}", name, None, replace(base, **ARMS[name].settings), 3)
        for name in ("ring", "classical", "identity")
    )


def _equal_features(features: int) -> Study:
    """Return a study of a circuit and its rivals that give as many features of the same angles, on the paper's terms.

    Runs of the circuit of the paper and of `trigonometric` are those of the study `paper`, records included.
    """
    arms = FEATURE_ARMS[features]
    return Study(
        f"equal features, equal budget: {features} of eight angles",
        tuple(Condition(name, name, None, arm_config(name, 0), REGISTERED_SEEDS) for name in arms),
        (TABLE_BATCH, LAST_BATCH),
        TABLE_BATCH,
        baseline=next(iter(arms)),
    )


HEADS = ("ring", "classical", "identity", "trigonometric")


def _unseen(prefix: str, base: Config) -> tuple[Condition, ...]:
    """Return the heads of the main question on images that no setting was chosen on."""
    return tuple(
        Condition(f"{prefix}-{name}", name, None, replace(base, **ARMS[name].settings), REGISTERED_SEEDS)
        for name in HEADS
    )


# Settings of another reproduction of the paper, merlinquantum/reproduced_papers, papers/qSSL, as far as there are such
# settings here: its InfoNCE leaves the positive out of the denominator, and its projector ends in 128 dimensions. It
# also clips gradients to a norm of 1, keeps the last, smaller batch of an epoch, and its circuits take 100 shots.
MERLIN: dict[str, Any] = {
    "objective": "decoupled",
    "temperature": 0.07,
    "projector": (8, 128),
    "epochs": 5,
    "checkpoint_every": 193,  # the first batch, and every 193rd from there: 194 is the end of the second epoch
}


def _merlin() -> tuple[Condition, ...]:
    """Return the arms of that reproduction, and no head: one run of five epochs holds its run of two."""
    arms = ("ring", "ring_100_shots", "classical", "identity")
    return tuple(
        Condition(f"merlin-{name}", name, None, replace(arm_config(name, 0), **MERLIN), CONTROL_SEEDS) for name in arms
    )


NOISE_SEEDS = {"noise": 3, "noise-digits": 6}


def _noise(digits: bool) -> tuple[Condition, ...]:
    """Return the ring as it is, trained under a device's averages, and trained on its twin."""
    name, base = (
        ("noise", preset("paper"))
        if not digits
        else ("noise-digits", replace(preset("digits"), augmentation="digits", steps=300))
    )
    return tuple(
        Condition(f"{name}-{series}", series, None, replace(base, **arm(series).settings), NOISE_SEEDS[name])
        for series in ("ring", *NOISE_ARMS)
    )


STUDIES: dict[str, Study] = {
    "paper": Study(
        "the paper's arms and their controls, two epochs", _arms(), (*PUBLISHED_BATCHES, LAST_BATCH), TABLE_BATCH
    ),
    "states": Study("Hilbert-Schmidt distance of the states of two classes", (_two_classes(),), (169,), 169),
    "width": Study(
        "2 to 16 qubits, or units",
        _sweep("width", range(2, 17, 2), ("ring", "classical", "identity")),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="width",
    ),
    "training-size": Study(
        "fewer training images, the same number of steps",
        _sweep("train_images", (1000, 2500, 5000, 10_000, 25_000), ("ring", "classical"), steps=LAST_BATCH),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="training images",
    ),
    "layers": Study(
        "1 to 8 layers of the head",
        _sweep("layers", (1, 2, 3, 4, 6, 8), ("ring", "all_to_all", "classical")),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="layers",
    ),
    "epochs": Study(
        "up to ten epochs",
        tuple(
            Condition(
                f"{name}-epochs-{LONG_EPOCHS}",
                name,
                None,
                replace(arm_config(name, 0), epochs=LONG_EPOCHS, checkpoint_every=194),
                CONTROL_SEEDS,
            )
            for name in ("ring", "classical", "identity")
        ),
        LONG_BATCHES,
        LONG_EPOCHS * 97,
    ),
    "other-classes": Study(
        "classes 5 to 9 of CIFAR-10, which no setting was chosen on",
        _unseen("other-classes", replace(preset("paper"), classes=(5, 6, 7, 8, 9))),
        (TABLE_BATCH, LAST_BATCH),
        TABLE_BATCH,
    ),
    "digits-heads": Study(
        "four heads on handwritten digits",
        _unseen("digits-heads", replace(preset("digits"), augmentation="digits")),
        (500,),
        500,
    ),
    "merlin": Study(
        "the settings of another reproduction, after two and five epochs", _merlin(), (LAST_BATCH, 5 * 97), LAST_BATCH
    ),
    **{f"features-{features}": _equal_features(features) for features in FEATURE_ARMS},
    "noise": Study(
        "trained for a noisy device, and read on it", _noise(digits=False), (LAST_BATCH,), LAST_BATCH, on_devices=True
    ),
    "noise-digits": Study(
        "trained for a noisy device, and read on it: digits", _noise(digits=True), (300,), 300, on_devices=True
    ),
    "digits": Study("three arms on handwritten digits, as a trial", _digits(), DIGITS_BATCHES, DIGITS_BATCHES[-1]),
}


def study(name: str) -> Study:
    """Return a study, extended by an arm for each registered circuit and encoder: a copy of the ring's conditions.

    Raises:
        UserError: No study has that name.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    base = STUDIES[name]
    ring = [condition for condition in base.conditions if condition.series == "ring" and "ring" in condition.name]
    registered = [
        replace(
            condition,
            name=condition.name.replace("ring", series),
            series=series,
            config=replace(condition.config, **arm.settings),
            seeds=CONTROL_SEEDS,
        )
        for series, arm in registered_arms().items()
        for condition in ring
    ]
    return replace(base, conditions=(*base.conditions, *registered))


BATCHES = ("all", "table")


def probe_batches(study: Study, batches: str) -> tuple[int, ...]:
    """Return the batches to probe: `all` of the study's, or for `table` the table's and the last."""
    return study.batches if batches == "all" else tuple(sorted({study.table_batch, study.batches[-1]}))


@dataclass(frozen=True)
class RunSpec:
    """One run of a study: a condition and a seed."""

    condition: Condition
    seed: int

    @property
    def name(self) -> str:
        """The run folder's name."""
        return f"{self.condition.name}-s{self.seed}"

    @property
    def config(self) -> Config:
        """The run's settings."""
        return self.condition.with_seed(self.seed)


def run_specs(study: Study, arms: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> list[RunSpec]:
    """Return the runs of a study, seed by seed.

    Args:
        study: The study.
        arms: Names of series or of single conditions; None takes all.
        seeds: The seeds; None takes as many as make each condition complete.

    Raises:
        UserError: No series and no condition has that name, or seeds are repeated.
    """
    conditions = study.conditions
    names = list(dict.fromkeys([*(one.series for one in conditions), *(one.name for one in conditions)]))
    for name in arms or ():
        if name not in names:
            raise unknown_name("arm", name, names)
    if seeds is not None and (len(set(seeds)) != len(seeds) or not seeds or min(seeds) < 0):
        raise UserError(f"`seeds` must be different numbers of at least 0; got {list(seeds)}.")
    chosen = [one for one in conditions if arms is None or {one.series, one.name} & set(arms)]
    if seeds is None:
        largest = max(one.seeds for one in chosen)
        return [RunSpec(one, seed) for seed in range(largest) for one in chosen if seed < one.seeds]
    return [RunSpec(one, seed) for seed in seeds for one in chosen]
