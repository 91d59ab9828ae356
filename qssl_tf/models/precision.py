"""PRECISIONS: the numbers in which encoder and projector are trained, and what stays in float32."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.errors import UserError

# Setting -> Keras's dtype policy of encoder and projector. All of them keep weights in float32, and so do checkpoints.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
# Instructions by which a processor multiplies bfloat16, as Linux names them.
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


@contextmanager
def built_in(precision: str) -> Iterator[None]:
    """Build the layers of the block in a precision, including those of a user's own encoder; also as a decorator.

    The policy that the user has set for models of their own counts before and after.

    Args:
        precision: Key of PRECISIONS.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def unchanged_defaults(what: str) -> Iterator[None]:
    """Refuse a block that leaves Keras with another dtype policy or `floatx` than before, and put both back.

    They would decide in what numbers the layers behind are built, where `precision` does.

    Args:
        what: Whose code runs in the block.

    Raises:
        UserError: It names what was set.
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    before = {"the dtype policy": policy.name, "floatx": floatx}
    try:
        yield
        found = {"the dtype policy": keras.config.dtype_policy().name, "floatx": keras.config.floatx()}
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floatx)
    changed = [f"{name} to {value}" for name, value in found.items() if value != before[name]]
    if changed:
        raise UserError(
            f"{what} must leave Keras's dtype policy and floatx as they are; it set {' and '.join(changed)}; choose "
            f"{argument('precision')} for encoder and projector, or give layers of your own a `dtype`."
        )


def refuse_other_floatx() -> None:
    """Refuse another type of Keras's numbers than float32, which losses, metrics and optimizers take by default.

    Raises:
        UserError: With its name.
    """
    if keras.config.floatx() != "float32":
        raise UserError(
            f"Keras's floatx must be float32 where a run's model is built; got {keras.config.floatx()}; leave out "
            f"keras.config.set_floatx, and choose {argument('precision')}."
        )


def at_least_float32() -> str:
    """Return the dtype of layers whose rounding shows in angles or embeddings: float32, or the policy's if longer."""
    policy = keras.config.dtype_policy()
    return policy.name if tf.as_dtype(policy.compute_dtype).size >= 4 else "float32"


def in_float32(config: Config) -> Config:
    """Return the settings in which a run is judged, exported and run on devices, whatever it was trained in.

    So a run has the same features on every machine, up to rounding of float32.
    """
    return replace(config, precision="float32")


def scales_loss(precision: str) -> bool:
    """Return whether gradients may fall below the range of a precision: float16 ends at 6e-8."""
    return precision == "float16"


def why_slower(precision: str) -> str | None:
    """Return why a precision is slower here than float32, as a sentence, or None."""
    if precision == "float32" or tf.config.list_physical_devices("GPU"):
        return None
    if precision == "float16":
        return "float16 is many times slower than float32 on processors, and TensorFlow finds no GPU; take float32."
    if not multiplies_bfloat16():
        return "bfloat16 is slower than float32 here: this processor has no instructions for it; take float32."
    return None


def say_if_slower(precision: str) -> None:
    """Print one line where a precision only costs time."""
    if why := why_slower(precision):
        print(f"note: {why}", file=sys.stderr, flush=True)


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor multiplies bfloat16, by Linux's list of its instructions.

    Where no system keeps such a list, nothing is known, and so True is returned: nobody is told that it is slower.
    """
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return True
    return not words.isdisjoint(BFLOAT16_INSTRUCTIONS)
