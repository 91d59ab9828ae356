"""STUDIES: which runs belong to an experiment, and what is read off them.

The arms and the two-class run are those of arXiv:2103.14653, Sections 4 and Appendix; widths, training images, layers
and epochs vary one setting at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.presets import preset
from qssl_tf.studies.arms import ARMS, arm_config, own_arms

# After which batches the paper probes: every 13th of each of its two epochs of 97, from the first on, and the last.
PUBLISHED_BATCHES = (*range(1, 97, 13), *range(98, 194, 13))
TABLE_BATCH, LAST_BATCH = 176, 194
SEEDS, CONTROL_SEEDS = 6, 3


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone.

    Attributes:
        name: Of its folders, `<name>-s<seed>`.
        series: The curve it belongs to: the name of an arm.
        value: What varies along the curve; None where curves run over batches.
        config: Settings, with seed 0.
        seeds: How many seeds make it complete.
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
        about: What it asks.
        cells: Its runs, without seeds.
        batches: After which batches to probe.
        table: The batch whose accuracies are compared.
        axis: What `Cell.value` counts; None where curves run over batches.
        baseline: The arm that others are compared with, seed by seed.
    """

    about: str
    cells: tuple[Cell, ...]
    batches: tuple[int, ...]
    table: int
    axis: str | None = None
    baseline: str = "ring"


def _arms() -> tuple[Cell, ...]:
    many = [name for name, arm in ARMS.items() if arm.published] + ["identity"]
    many.remove("ring_100_shots_partial_measurement")
    return tuple(Cell(name, name, None, arm_config(name, 0), SEEDS if name in many else CONTROL_SEEDS) for name in ARMS)


def _varied(setting: str, values: Sequence[int], arms: Sequence[str], **fixed: Any) -> tuple[Cell, ...]:
    """Return a cell for each arm and value of one setting."""
    return tuple(
        Cell(f"{arm}-{setting}-{value}", arm, value, replace(arm_config(arm, 0), **fixed | {setting: value}), 3)
        for value in values
        for arm in arms
    )


def _states() -> Cell:
    """The paper's look at the states: two classes, no projector, 169 batches of 39 an epoch."""
    config = replace(arm_config("ring", 0), classes=(0, 1), project=False, steps=169, checkpoint_every=3)
    return Cell("two_classes", "ring", None, config, CONTROL_SEEDS)


LONG = 10  # epochs; with a constant rate a shorter run is the beginning of a longer one
EVERY_TWO = (1, *range(195, LONG * 97, 194), LONG * 97)

DIGITS_BATCHES = (1, 41, 81, 120)


def _digits() -> tuple[Cell, ...]:
    """Three arms on the embedded digits: the same way of working in three minutes and without a download."""
    # The recipe by its name, as runs of this study were kept before `auto` was a word.
    base = replace(preset("digits"), augmentation="digits", steps=DIGITS_BATCHES[-1], checkpoint_every=40)
    return tuple(
        Cell(f"digits-{name}", name, None, replace(base, **ARMS[name].settings), 3)
        for name in ("ring", "classical", "identity")
    )


STUDIES: dict[str, Study] = {
    "paper": Study(
        "the paper's arms and their controls, two epochs", _arms(), (*PUBLISHED_BATCHES, LAST_BATCH), TABLE_BATCH
    ),
    "states": Study("Hilbert-Schmidt distance of the states of two classes", (_states(),), (169,), 169),
    "width": Study(
        "2 to 16 qubits, or units",
        _varied("width", range(2, 17, 2), ("ring", "classical", "identity")),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="width",
    ),
    "training-size": Study(
        "fewer training images, the same number of steps",
        _varied("train_images", (1000, 2500, 5000, 10_000, 25_000), ("ring", "classical"), steps=LAST_BATCH),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="training images",
    ),
    "layers": Study(
        "1 to 8 layers of the head",
        _varied("layers", (1, 2, 3, 4, 6, 8), ("ring", "all_to_all", "classical")),
        (LAST_BATCH,),
        LAST_BATCH,
        axis="layers",
    ),
    "epochs": Study(
        "up to ten epochs",
        tuple(
            Cell(f"{arm}-epochs-{LONG}", arm, None, replace(arm_config(arm, 0), epochs=LONG, checkpoint_every=194), 3)
            for arm in ("ring", "classical", "identity")
        ),
        EVERY_TWO,
        LONG * 97,
    ),
    "digits": Study("three arms on handwritten digits, as a trial", _digits(), DIGITS_BATCHES, DIGITS_BATCHES[-1]),
}


def study(name: str) -> Study:
    """Return a study with the arms that the user's own circuits and encoders make: the ring's cells with their word.

    Raises:
        UserError: No study has that name.
    """
    if name not in STUDIES:
        raise unknown_name("study", name, STUDIES)
    found = STUDIES[name]
    own = tuple(
        replace(cell, name=cell.name.replace("ring", word), series=word, config=config, seeds=CONTROL_SEEDS)
        for word, arm in own_arms().items()
        for cell in found.cells
        if cell.series == "ring" and "ring" in cell.name and (config := replace(cell.config, **arm.settings))
    )
    return replace(found, cells=(*found.cells, *own))


BATCHES = ("all", "table")


def wanted_batches(study: Study, batches: str) -> tuple[int, ...]:
    """Return the batches to probe: `all` of the study's, or those of the `table`, its own and the last."""
    return study.batches if batches == "all" else tuple(sorted({study.table, study.batches[-1]}))


@dataclass(frozen=True)
class Pair:
    """One run: a cell and a seed."""

    cell: Cell
    seed: int

    @property
    def name(self) -> str:
        """The run folder's name."""
        return f"{self.cell.name}-s{self.seed}"

    @property
    def config(self) -> Config:
        """The run's settings."""
        return self.cell.with_seed(self.seed)


def pairs(study: Study, arms: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> list[Pair]:
    """Return the runs of a study, all cells of a seed before the next seed.

    Args:
        study: The study.
        arms: Names of series or of single cells to keep; None keeps all.
        seeds: Which seeds; None takes as many of each cell as make it complete.

    Raises:
        UserError: No series and no cell has that name, or seeds are repeated.
    """
    known = list(dict.fromkeys([cell.series for cell in study.cells] + [cell.name for cell in study.cells]))
    for name in arms or ():
        if name not in known:
            raise unknown_name("arm", name, known)
    if seeds is not None and (len(set(seeds)) != len(seeds) or not seeds or min(seeds) < 0):
        raise UserError(f"`seeds` must be different numbers of at least 0; got {list(seeds)}.")
    cells = [cell for cell in study.cells if arms is None or {cell.series, cell.name} & set(arms)]
    wanted = range(max(cell.seeds for cell in cells)) if seeds is None else seeds
    return [Pair(cell, seed) for seed in wanted for cell in cells if seeds is not None or seed < cell.seeds]
