"""WORDS: what each setting that is named by a word takes, of the library and of the user's own.

The check of settings, the help of commands and the spaces of a search all read this table. The tables that hold what
the words mean (`ANSATZE`, `ENCODERS`, ...) load TensorFlow, which help and a misspelt word need not wait for; a test
keeps both equal.
"""

import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from qssl_tf.errors import UserError, pass_on_interrupt, reason, shown, text_of, unknown_name

KERAS_WRAPS = ("Exception encountered when calling", "Could not automatically infer the output")


@dataclass
class Words:
    """The words of one setting.

    Attributes:
        library: Those that the package brings.
        own: Those that the user registered, in the order in which they came.
        open: Whether others are valid too, such as any image data set of TFDS.
        remedy: What helps where a word is in nobody's table, as a sentence.
    """

    library: tuple[str, ...]
    own: list[str] = field(default_factory=list)
    open: bool = False
    remedy: str = ""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the library's words, then the user's."""
        return iter((*self.library, *self.own))


UNLOADED = "One of your own needs its file: --plugin FILE, or an import before it is used."
WORDS = {
    "dataset": Words(("digits", "folder"), open=True),
    "store": Words(("auto", "memory", "disk")),
    "augmentation": Words(("auto", "digits", "simclr", "simclr_blur")),
    "encoder": Words(("small_cnn", "vgg_tiny", "vgg_small", "resnet18", "resnet18_cifar"), remedy=UNLOADED),
    "angle_bound": Words(("sigmoid", "centred", "none")),
    "head": Words(("quantum", "classical", "trigonometric", "fourier", "cosines", "mlp", "identity")),
    "ansatz": Words(
        (
            "ring",
            "all_to_all",
            "sim13_half",
            "sim14_half",
            "sim13",
            "sim14",
            "sim15",
            "sim19",
            "farhi",
            "tdcnot",
            "none",
            "strongly_entangling",
        ),
        remedy=UNLOADED,
    ),
    "encoding": Words(("angle", "angle_y", "zz", "reuploading", "amplitude")),
    "gradient": Words(("adjoint", "parameter_shift", "two_term", "spsa")),
    "noise_level": Words(("gate", "layer")),
    "simulator": Words(("auto", "tfq", "xla", "pauli")),
    "precision": Words(("float32", "bfloat16", "float16")),
    "objective": Words(
        ("nt_xent", "decoupled", "barlow_twins", "vicreg", "simsiam", "byol", "moco", "supervised", "fidelity"),
        remedy=UNLOADED,
    ),
    "overlap_test": Words(("inversion", "swap", "destructive_swap")),
    "batch_statistics": Words(("global", "local")),
    "schedule": Words(("constant", "cosine")),
    "probe_protocol": Words(("cached", "paper", "clean")),
}


def closed_words(setting: str) -> tuple[str, ...]:
    """Return the only words that a setting takes; none where it is not named by a word, or takes others too."""
    words = WORDS.get(setting)
    return () if words is None or words.open else tuple(words)


def check_word(setting: str, value: object) -> None:
    """Refuse a word that a setting does not have.

    Raises:
        UserError: It lists the words, and names the nearest.
    """
    words = closed_words(setting)
    if words and value not in words:
        raise unknown_name(setting, value, words, WORDS[setting].remedy)


def claim(setting: str, name: str, taken: Container[str]) -> None:
    """Make `name` a word of a setting, for Config and every command.

    An own word can be claimed again, as a notebook's cell does that is run twice; the last meaning counts.

    Args:
        setting: Key of WORDS.
        name: The word.
        taken: Words of the table that has their meanings.

    Raises:
        UserError: It is no plain word, or one of the library's.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise UserError(
            f"the name of an own `{setting}` must be up to 64 small letters, digits and underscores, a letter first; "
            f"got {shown(name)}."
        )
    if name in WORDS[setting].own:
        return
    if name in taken:
        raise UserError(f"`{setting}` '{name}' is one of the library's; choose another name for your own.")
    WORDS[setting].own.append(name)


@contextmanager
def own_code(what: str) -> Iterator[None]:
    """Turn whatever a function of the user's own raises within the block into one line.

    Args:
        what: What the function makes.

    Raises:
        UserError: It failed.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):  # the latter where a generator is closed
        raise
    except BaseException as error:  # a user's own may be of any kind
        pass_on_interrupt(error)
        origin = _origin(error)
        if isinstance(origin, UserError):
            raise origin from None
        raise UserError(f"{what} failed with {type(error).__name__}: {reason(origin)}.") from error


def _origin(error: BaseException) -> BaseException:
    """Return what a layer of the user's raised: Keras wraps it in errors of the same kind, with a page of text."""
    links = [error]
    while any(words in text_of(links[-1]) for words in KERAS_WRAPS) and links[-1].__context__ is not None:
        links.append(links[-1].__context__)
    return links[-1]
