"""Every setting of a run in one frozen, locked dataclass, and its JSON form.

A run folder's `config.json` is the only home of its settings: pretraining, probing and device runs all read it.
"""

import functools
import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from qssl_tf.arguments import as_path, unknown_argument
from qssl_tf.errors import UserError, shown, unknown_name
from qssl_tf.files.read import read_json
from qssl_tf.registry import check_word

MAX_QUBITS = 24  # a state of 24 qubits takes 128 MB
MAX_INTEGER = 2**31 - 1
MAX_LENGTH = 4096  # characters of a text, or entries of a list
# Settings that say where the images of a run lie; its results do not depend on them, and other machines have others.
WHERE = ("data_dir", "store", "store_dir")
FOLDERS = ("data_dir", "store_dir")
MAX_UNITS = 65_536  # of a layer of the projector
OWN_FEATURES = ("trigonometric", "fourier", "cosines", "mlp")  # heads that take `head_features`


def setting(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float = math.inf,
    below: float = math.inf,
):
    """Declare one field: its default, its help text and its range (`low` and `high` inclusive, the others not)."""
    rule = {"low": low, "above": above, "high": high, "below": below}
    return field(default=default, metadata={"help": about, **rule})


@dataclass(frozen=True)
class Config:
    """All settings of a run. Frozen; every value is checked when it is made, an unknown key is refused.

    Fields are documented by their `help` metadata, which also becomes the command line's help.

    Raises:
        UserError: A value of the wrong type, out of range or not among a setting's words.
    """

    # Data
    dataset: str = setting(
        "digits", "'digits' (embedded), 'folder' (your images in --data-dir) or any image data set of TFDS, as cifar10"
    )
    classes: tuple[int, ...] = setting((), "labels to keep, such as 0,1,2 (none given: all of them)")
    data_dir: str | None = setting(
        None, "folder of your images, or of prepared TFDS data (none: $TFDS_DATA_DIR or TFDS's own default)"
    )
    store: str = setting("auto", "where images are kept (auto: on disk if memory cannot hold them)")
    store_dir: str | None = setting(
        None, "folder of the stores of images on disk (none: qssl_tf/stores in $XDG_CACHE_HOME, or in ~/.cache)"
    )
    skip_broken_images: bool = setting(False, "leave out files of a folder that cannot be read; they are named")
    image_size: int | None = setting(
        None, "side in pixels to resize the square in the middle of images to (none: as they are)", low=4, high=1024
    )
    train_images: int | None = setting(
        None,
        "training images to use, drawn with the run's seed from each class by its share, one at least (none: all)",
        low=2,
    )
    validation_fraction: float = setting(
        0.0, "part of the train split held out for validation, one image of each class at least", low=0.0, high=0.9
    )
    augmentation: str = setting("auto", "recipe for the two views (auto: simclr for colour, digits for gray images)")
    crop_area: float | None = setting(
        None, "smallest part of the image a view shows (none: the recipe's)", above=0.0, high=1.0
    )
    jitter: float = setting(1.0, "colour changes of the views, as a multiple of the recipe's", low=0.0, high=2.5)
    # Model
    encoder: str = setting("small_cnn", "convolutional network in front of the head")
    angle_norm: bool = setting(False, "batch norm of the encoder's numbers before they are bounded to angles")
    angle_bound: str = setting("sigmoid", "bound of the encoder's numbers; circuits take sigmoid")
    head: str = setting("quantum", "representation layer between encoder and projector")
    width: int = setting(8, "number of qubits (up to 24), and of units of the classical head", low=1, high=4096)
    ansatz: str = setting("ring", "circuit of the quantum head")
    layers: int = setting(2, "layers of the head", low=1, high=64)
    shots: int | None = setting(
        None, "measurements an expectation is estimated from (none: exact)", low=1, high=10_000_000
    )
    encoding: str = setting("angle", "how the encoder's numbers enter the circuit")
    head_features: int | None = setting(
        None, "features of the heads trigonometric (none: twice the width), fourier, cosines and mlp (none: the width)",
        low=1, high=4096,
    )  # fmt: skip
    head_hidden: int = setting(32, "units of each hidden layer of the head mlp", low=1, high=4096)
    head_bandwidth: float = setting(
        1.414, "length scale in radians of the Gaussian kernel that the head fourier approaches", low=1e-3, high=1e3
    )
    train_head: bool = setting(True, "train the head's weights, or leave them as they were drawn")
    observables: str = setting("z", "what is measured: z, z_zz, or products in one basis such as Z0,X1X2")
    gradient: str = setting("adjoint", "how the circuit is differentiated")
    noise: str = setting(
        "none",
        "a device such as fake_paris, or channels such as depolarizing=0.01,readout=0.02",
    )
    noise_level: str = setting("gate", "channels after each gate or after each layer")
    partial_measurement: bool = setting(False, "measure every other qubit after the first layer")
    simulator: str = setting("auto", "who runs the circuit (auto: the fastest that can)")
    projector: tuple[int, ...] = setting(
        (), "widths of the projector, such as 128,64 (none: the objective's own, or the head's twice)"
    )
    project: bool = setting(True, "pass the head's outputs through the projector on their way to the loss")
    precision: str = setting("float32", "numbers in which encoder and projector are trained; all else is float32")
    # Training
    objective: str = setting("nt_xent", "loss that encoder and head are trained for")
    temperature: float = setting(
        0.2, "temperature of the objectives nt_xent, decoupled, moco, supervised and fidelity", above=0.0
    )
    redundancy_weight: float | None = setting(
        None, "weight of the redundancy term of barlow_twins and vicreg (none: 0.005 and 1, as published)", low=0.0
    )
    predictor: int = setting(32, "hidden units of the predictor MLP of simsiam and byol", low=1, high=MAX_UNITS)
    target_rate: float = setting(
        0.9,
        "EMA momentum of the target network of byol and moco: part of a weight kept in a step",
        low=0.0,
        below=1.0,
    )
    queue_size: int = setting(512, "negatives in the queue of moco", low=2, high=2**22)
    overlap_qubits: tuple[int, ...] = setting(
        (), "qubits whose states the objective fidelity compares, such as 0,1 (none: all)"
    )
    overlap_test: str = setting("inversion", "how the objective fidelity takes overlaps from shots")
    batch_size: int = setting(256, "images a step; each gives two views", low=2)
    batch_statistics: str = setting(
        "global", "rows that batch norm normalises together where replicas share a batch: all, or each replica's own"
    )
    chunk_size: int | None = setting(
        None, "images of a view that pass the encoder at a time, for batches beyond the memory (none: all)", low=2
    )
    recompute_blocks: bool = setting(
        False,
        "compute activations within the encoder's blocks again rather than keep them, for the same purpose",
    )
    epochs: int = setting(100, "passes over the training images", low=1, high=1_000_000)
    steps: int | None = setting(None, "training steps, instead of epochs (none: by epochs)", low=1)
    learning_rate: float = setting(2e-3, "Adam's learning rate", above=0.0)
    schedule: str = setting("constant", "course of the learning rate")
    warmup: float = setting(0.0, "part of the steps in which the learning rate rises from 0", low=0.0, high=0.9)
    weight_decay: float = setting(1e-6, "L2 penalty added to the gradient", low=0.0)
    seed: int = setting(0, "seed of weights, data order and views", low=0, high=2**31 - 1)
    checkpoint_every: int = setting(100, "batches of an epoch between checkpoints, from its first batch on", low=1)
    xla_step: bool = setting(
        False, "compile the whole training step by XLA, for a GPU; on a processor steps take several times as long"
    )
    views_in_step: bool = setting(
        False, "make the views within the training step, for a GPU that waits for the processor; else ahead of it"
    )
    # Probe
    online_probe: bool = setting(
        False, "train a linear classifier on the features of each batch as well, which leaves the run as it is"
    )
    probe_protocol: str = setting("cached", "how the linear probe sees the training images")
    probe_passes: int = setting(2, "augmented passes whose features the cached protocol reuses", low=1)
    probe_epochs: int = setting(100, "epochs of the linear probe", low=1, high=1_000_000)
    probe_batch_size: int = setting(64, "batch size of the linear probe", low=1)
    probe_learning_rate: float = setting(1e-2, "Adam's learning rate in the linear probe", above=0.0)

    def __post_init__(self):
        """Check every value against its type, range and words."""
        for item in fields(self):
            value = checked(item.name, getattr(self, item.name))
            check_word(item.name, value)
            object.__setattr__(self, item.name, value)
        if len(set(self.classes)) != len(self.classes) or any(label < 0 for label in self.classes):
            raise UserError(f"`classes` must be different labels of at least 0; got {shown(list(self.classes))}.")
        if self.head == "quantum" and self.width > MAX_QUBITS:
            raise UserError(f"`width` must be at least 1 and at most {MAX_QUBITS} for qubits; got {self.width}.")
        if self.head == "quantum" and self.angle_bound != "sigmoid":
            raise UserError(
                "`angle_bound` must be sigmoid for the quantum head, as its angles lie in [0, pi]; "
                f"got {self.angle_bound!r}."
            )
        self._check_head_features()
        if any(not 1 <= units <= MAX_UNITS for units in self.projector) or len(self.projector) > 16:
            raise UserError(
                f"`projector` must be up to 16 widths from 1 to {MAX_UNITS}, or none; "
                f"got {shown(list(self.projector))}."
            )
        if len(self.classes) == 1:
            raise UserError(f"`classes` must name at least two labels, or none for all; got {list(self.classes)}.")

    def _check_head_features(self) -> None:
        """Refuse a number of features that the head cannot have."""
        if self.head_features is None:
            return
        if self.head not in OWN_FEATURES:
            raise UserError(
                f"`head_features` must be none for the head {self.head}, whose features are counted by other settings; "
                f"got {self.head_features}; heads with such a number are {', '.join(OWN_FEATURES)}."
            )
        most = 2 * self.width**2  # cosine and sine of each angle, and the products of two of other angles
        if self.head == "trigonometric" and self.head_features > most:
            raise UserError(
                f"`head_features` must be at most {most} for the head trigonometric at `width` {self.width}, which has "
                f"no more products of two; got {self.head_features}."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """Make a config from plain values, such as parsed JSON.

        Raises:
            UserError: An unknown key (with the nearest known one) or a bad value.
        """
        if not isinstance(values, Mapping):
            raise UserError(f"settings must be a mapping of names to values; got {shown(values)}.")
        names = [item.name for item in fields(cls)]
        for key in values:
            if key not in names:
                raise unknown_name("config key", key, names)
        return cls(**values)

    @classmethod
    def from_json(cls, path: Path) -> "Config":
        """Read a config file.

        Raises:
            UserError: The file is missing, is not a JSON object, or holds a bad key or value.
        """
        try:
            values = read_json(path)
        except FileNotFoundError:
            raise UserError(f"config file {path} does not exist; name a file written by a run or a search.") from None
        except (OSError, ValueError) as error:
            raise UserError(f"config file {path} cannot be read as JSON ({error}); restore or remake it.") from None
        if not isinstance(values, dict):
            raise UserError(f"config file {path} must hold one JSON object; got a {type(values).__name__}.")
        try:
            return cls.from_dict(values)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` turns back into an equal config."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def places(self) -> dict[str, Any]:
        """Return where the images of the run lie: the settings of WHERE."""
        return {name: getattr(self, name) for name in WHERE}

    def differences(self, other: "Config") -> list[str]:
        """Name each setting in which `other` differs, with both values."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{key}: {mine[key]!r} against {theirs[key]!r}" for key in mine if mine[key] != theirs[key]]


def _refusing_unknown(make: Callable[..., None]) -> Callable[..., None]:
    """Return Config's `__init__` with an error of its own for a setting that does not exist."""

    @functools.wraps(make)
    def made(self: Config, *values: Any, **settings: Any) -> None:
        for name in settings:
            if name not in Config.__dataclass_fields__:
                raise unknown_argument("Config", name, Config.__dataclass_fields__)
        make(self, *values, **settings)

    return made


Config.__init__ = _refusing_unknown(Config.__init__)  # type: ignore[method-assign]


@functools.cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Config)


def checked(name: str, value: Any) -> Any:
    """Return `value` as the setting `name` has it, its words aside; for `Config` and for layers with such an argument.

    Raises:
        UserError: It is of another type or out of the setting's range.
    """
    value = _as_type(name, value, _hints()[name])
    if name == "noise":
        value = value.strip()  # device runs compare it with the device's name
    if name in FOLDERS:
        value = as_path(name, value)
    _check_range(name, value, Config.__dataclass_fields__[name].metadata)
    return value


_TYPE_WORDS = {
    int: "an integer",
    float: "a number",
    str: "a string",
    tuple: "a list of integers",
    bool: "true or false",
}


def _as_type(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as `hint` has it (a list as a tuple, an integer as a float, NumPy's numbers as Python's)."""
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] if type(None) in get_args(hint) else [hint]
    if value is None and kinds != [hint]:
        return None
    kind = tuple if kinds[0] == tuple[int, ...] else kinds[0]
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        value = int(value)
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        value = float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER:
        value = float(value)
    if kind is tuple and isinstance(value, list):
        value = tuple(value)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is tuple and fits:
        fits = all(isinstance(entry, int) and not isinstance(entry, bool) for entry in value)
    if not fits:
        optional = " or none" if kinds != [hint] else ""
        raise UserError(f"`{name}` must be {_TYPE_WORDS[kind]}{optional}; got {shown(value)}.")
    if isinstance(value, str | tuple) and len(value) > MAX_LENGTH:
        what = "characters" if kind is str else "numbers"
        raise UserError(f"`{name}` must have at most {MAX_LENGTH} {what}; got {len(value)}.")
    return value


def _check_range(name: str, value: Any, rule: Mapping[str, Any]) -> None:
    low, above, high = rule["low"], rule["above"], rule["high"]
    if value is None or (low is None and above is None):
        return
    if isinstance(value, int) and value > MAX_INTEGER:
        high = min(high, MAX_INTEGER)
    bottom = "finite and " if value == math.inf else ""
    bottom += f"at least {low}" if above is None else f"above {above}"
    too_low = value < low if above is None else value <= above
    if too_low or value > high or value >= rule["below"] or not math.isfinite(value):
        top = "" if high == math.inf else f" and at most {high}"
        top = top if rule["below"] == math.inf else f" and below {rule['below']}"
        raise UserError(f"`{name}` must be {bottom}{top}; got {shown(value)}.")
