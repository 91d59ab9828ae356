"""SPACES: what a search may vary, field by field of Config, in named sub-spaces; the way to keras-tuner and back."""

import itertools
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from qssl_tf.config import Config, checked
from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.tfq_availability import obstacle, refuse_absent
from qssl_tf.registry import WORDS, check_word

if TYPE_CHECKING:  # loaded late, so that `--help` need not wait for it
    from keras_tuner import HyperParameters

Conditions = Mapping[str, tuple]


@dataclass(frozen=True)
class Choice:
    """One of several values of a field.

    Attributes:
        values: As Config takes them.
        when: Other fields, and the values of theirs beside which this one matters.
    """

    values: tuple
    when: Conditions = field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many values it can take."""
        return len(self.values)

    @property
    def words(self) -> list:
        """The values as keras-tuner can hold them: numbers if all are numbers of one kind, else texts."""
        if {type(value) for value in self.values} in ({int}, {float}):
            return list(self.values)
        return [json.dumps(value) for value in self.values]

    def declare(self, space: "HyperParameters", name: str, default: Any) -> None:
        """Add the field to keras-tuner's space."""
        start = self.words[self.values.index(default)] if default in self.values else self.words[0]
        space.Choice(name, self.words, default=start)

    def value(self, word: Any) -> Any:
        """Return Config's value of one of the words."""
        return self.values[self.words.index(word)]

    @property
    def ends(self) -> tuple:
        """Values that Config must accept if it is to accept all."""
        return self.values


@dataclass(frozen=True)
class Range:
    """A number between two bounds, both included.

    Attributes:
        low: The smallest value; two whole bounds make a range of whole numbers.
        high: The largest.
        log: Whether equal factors are equally likely, rather than equal differences; `low` is above 0 then.
        when: As in Choice.
    """

    low: float
    high: float
    log: bool = False
    when: Conditions = field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many values it can take."""
        return self.high - self.low + 1 if isinstance(self.low, int) and isinstance(self.high, int) else math.inf

    def declare(self, space: "HyperParameters", name: str, default: Any) -> None:
        """Add the field to keras-tuner's space."""
        add = space.Int if isinstance(self.low, int) and isinstance(self.high, int) else space.Float
        inside = isinstance(default, (int, float)) and self.low <= default <= self.high
        sampling = "log" if self.log else "linear"
        add(name, self.low, self.high, sampling=sampling, default=default if inside else self.low)

    def value(self, number: Any) -> Any:
        """Return Config's value: of a fraction four digits, which a user can type again."""
        return float(f"{number:.4g}") if isinstance(number, float) else number

    @property
    def ends(self) -> tuple:
        """Values that Config must accept if it is to accept all."""
        return self.low, self.high


Parameter = Choice | Range
MANY = 100_000  # combinations; so many are not counted, and more than any search tries

QUANTUM = {"head": ("quantum",)}
CIRCUIT: dict[str, Parameter] = {
    "ansatz": Choice(
        ("ring", "all_to_all", "sim13", "sim14", "sim15", "sim19", "tdcnot", "strongly_entangling"), QUANTUM
    ),
    "layers": Choice((1, 2, 3), {"head": ("quantum", "classical", "mlp")}),
    "width": Choice((4, 6, 8)),
    "encoding": Choice(("angle", "angle_y", "zz", "reuploading", "amplitude"), QUANTUM),
    "observables": Choice(("z", "z_zz"), QUANTUM),
}
# What heads without a circuit have to choose; trials of these cost what trials of a circuit do.
RIVALS: dict[str, Parameter] = {
    "layers": CIRCUIT["layers"],
    "head_hidden": Choice((4, 8, 16, 32, 64, 128), {"head": ("mlp",), "layers": (2, 3)}),
    "head_bandwidth": Range(0.25, 8.0, log=True, when={"head": ("fourier",)}),
}
SHOTS: dict[str, Parameter] = {
    "shots": Choice((None, 10, 100, 1000), QUANTUM),
    "gradient": Choice(("adjoint", "parameter_shift"), QUANTUM | {"shots": (10, 100, 1000)}),
}
ENCODER: dict[str, Parameter] = {
    "encoder": Choice(("small_cnn", "vgg_tiny", "vgg_small", "resnet18")),
    "angle_norm": Choice((False, True)),
    "projector": Choice(((), (64, 32), (128, 64), (128, 128, 64))),
}
RECIPE: dict[str, Parameter] = {
    "temperature": Range(0.05, 1.0, log=True),
    "learning_rate": Range(3e-4, 1e-2, log=True),
    "schedule": Choice(("constant", "cosine")),
    "weight_decay": Range(1e-7, 1e-3, log=True),
    "batch_size": Choice((64, 128, 256)),
    "crop_area": Range(0.05, 0.6),
    "jitter": Range(0.2, 1.6),
}
COSINES = {"objective": ("nt_xent", "decoupled", "moco")}
# Without `supervised`: beside the others it would win by the labels that it sees. Without `fidelity`: it refuses the
# encoding that the others have by default, and has neither projector nor classical heads; its space is OVERLAPS.
OBJECTIVE: dict[str, Parameter] = {
    "objective": Choice(("nt_xent", "decoupled", "barlow_twins", "vicreg", "simsiam", "byol", "moco")),
    "temperature": Range(0.05, 1.0, log=True, when=COSINES),
    "redundancy_weight": Choice((None, 0.01, 0.1, 1.0), {"objective": ("barlow_twins", "vicreg")}),
    "predictor": Choice((16, 32, 64), {"objective": ("simsiam", "byol")}),
    "target_rate": Choice((0.9, 0.97, 0.99, 0.996), {"objective": ("byol", "moco")}),
    "queue_size": Choice((512, 1024, 4096), {"objective": ("moco",)}),
    "projector": Choice(((), (64, 64), (128, 128))),
    "learning_rate": Range(3e-4, 1e-2, log=True),
}
# Of the objective `fidelity`; with one layer alone, all weights would cancel out of an overlap of all qubits.
OVERLAPS: dict[str, Parameter] = {
    "objective": Choice(("fidelity",)),
    "encoding": Choice(("reuploading",)),
    "ansatz": CIRCUIT["ansatz"],
    "layers": Choice((2, 3, 4)),
    "temperature": Range(0.02, 1.0, log=True),
    "overlap_qubits": Choice(((), (0, 1), (0, 1, 2))),
    "learning_rate": OBJECTIVE["learning_rate"],
}
SPACES: dict[str, dict[str, Parameter]] = {
    "circuit": CIRCUIT,
    "rivals": RIVALS,
    "shots": SHOTS,
    "encoder": ENCODER,
    "recipe": RECIPE,
    "objective": OBJECTIVE,
    "overlaps": OVERLAPS,
    "all": CIRCUIT | RIVALS | SHOTS | ENCODER | RECIPE,
}

# What a trial is judged on or with: a search over it would compare different questions, or pick the luckiest draw.
NOT_SEARCHED = (
    "dataset",
    "classes",
    "data_dir",
    "store",
    "store_dir",
    "image_size",
    "validation_fraction",
    "seed",
    "checkpoint_every",
    "steps",
)


def subspace(name: str) -> dict[str, Parameter]:
    """Return the table called `name`.

    Raises:
        UserError: There is none.
    """
    if name not in SPACES:
        raise unknown_name("space", name, SPACES)
    return {key: _with_own(key, parameter) for key, parameter in SPACES[name].items()}


def _with_own(name: str, parameter: Parameter) -> Parameter:
    """Return a parameter with the words that the user registered for it."""
    own = WORDS[name].own if name in WORDS else ()
    if not own or not isinstance(parameter, Choice) or len(parameter.values) == 1:  # one value is what a space is about
        return parameter
    return replace(parameter, values=(*parameter.values, *own))


def check_name(name: str) -> None:
    """Refuse what is no setting or cannot be searched.

    Raises:
        UserError: It says which and why.
    """
    fixed = [item.name for item in fields(Config) if item.name in NOT_SEARCHED or item.name.startswith("probe_")]
    if name in fixed:
        raise UserError(f"`{name}` decides what trials are judged on and cannot be searched; set it for all of them.")
    if name not in {item.name for item in fields(Config)}:
        raise unknown_name("parameter", name, [item.name for item in fields(Config) if item.name not in fixed])


def check_value(name: str, value: Any) -> None:
    """Refuse a value that a setting cannot have, or the name of none.

    Raises:
        UserError: It says which and why.
    """
    if name not in Config.__dataclass_fields__:
        raise unknown_name("parameter", name, Config.__dataclass_fields__)
    checked(name, value)
    check_word(name, value)
    if name == "simulator":
        refuse_absent(value, obstacle())


def reachable(parameters: Mapping[str, Parameter], base: Config) -> dict[str, Parameter]:
    """Return the parameters that can matter, given those beside them and what stands in `base`.

    Raises:
        UserError: A name that cannot be searched, a value that Config refuses, or nothing is left to vary.
    """
    found: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        check_name(name)
        for value in parameter.ends:
            replace(base, **{name: value})
            check_value(name, value)
        if all(_matching(other, words, found, base) for other, words in parameter.when.items()):
            found[name] = parameter
    if not found:
        what = ", ".join(parameters)
        raise UserError(
            f"nothing to search: {what} cannot matter beside these settings." if what else "nothing to search is left."
        )
    return found


def _matching(other: str, wanted: tuple, parameters: Mapping[str, Parameter], base: Config) -> list:
    """Return which of the wanted values another field can take: those in its parameter, else the base's own."""
    possible = parameters[other].ends if other in parameters else (getattr(base, other),)
    return [value for value in possible if value in wanted]


def declare(parameters: Mapping[str, Parameter], base: Config) -> "HyperParameters":
    """Return keras-tuner's space of `reachable` parameters, in their order; defaults are the base's where they fit."""
    from keras_tuner import HyperParameters

    space = HyperParameters()
    for name, parameter in parameters.items():
        with ExitStack() as scopes:
            for other, wanted in parameter.when.items():
                parent = parameters.get(other)
                if isinstance(parent, Choice):
                    words = [word for word in parent.words if parent.value(word) in wanted]
                    scopes.enter_context(space.conditional_scope(other, words))
            parameter.declare(space, name, getattr(base, name))
    return space


def combinations(parameters: Mapping[str, Parameter]) -> int | None:
    """Return how many different trials there can be, or None if there are endlessly or very many.

    A parameter counts only where it matters beside the others.
    """
    if math.prod(parameter.count for parameter in parameters.values()) > MANY:
        return None
    different = set()
    for values in itertools.product(*(_all_values(parameter) for parameter in parameters.values())):
        given = dict(zip(parameters, values, strict=True))
        different.add(tuple(value if _matters(parameters, name, given) else "-" for name, value in given.items()))
    return len(different)


def _all_values(parameter: Parameter) -> Iterable:
    if isinstance(parameter, Choice):
        return parameter.values
    return range(int(parameter.low), int(parameter.high) + 1)


def _matters(parameters: Mapping[str, Parameter], name: str, given: Mapping[str, Any]) -> bool:
    """Return whether a parameter is active beside the given values, as `declare` tells keras-tuner."""
    conditions = [(other, wanted) for other, wanted in parameters[name].when.items() if other in parameters]
    return all(given[other] in wanted for other, wanted in conditions if isinstance(parameters[other], Choice))


def chosen_settings(parameters: Mapping[str, Parameter], trial: "HyperParameters") -> dict[str, Any]:
    """Return the fields of Config that a trial's values mean; what does not matter in it is left out."""
    return {
        entry.name: parameters[entry.name].value(trial.values[entry.name])
        for entry in trial.space
        if entry.name in parameters and entry.name in trial.values and trial.is_active(entry)
    }
