"""Compiling small functions with XLA, without the messages it prints when it first starts."""

import contextvars
import functools
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from qssl_tf import tf32
from qssl_tf.quiet import stderr_held_back

_numbers = itertools.count()
_is_within = contextvars.ContextVar("within a function that XLA compiles as a whole", default=False)


@contextmanager
def within_xla(compiles: bool = True) -> Iterator[None]:
    """Have `compiled` functions traced within the block become part of the function around them, which XLA compiles.

    A compiled function within another would be right as well, but its gradient takes shapes from the call, and XLA then
    asks for all arguments of the call as constants: it would compile anew for each value of a weight.

    Args:
        compiles: Whether XLA compiles the function around; if not, the block changes nothing.
    """
    token = _is_within.set(compiles)
    try:
        yield
    finally:
        _is_within.reset(token)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` of tensors compiled by XLA for each shape it meets, with products of whole float32."""
    _start()
    tf32.switch_off()

    def call(*tensors: Any) -> Any:
        return function(*tensors)

    # TensorFlow counts traces by code object and warns after five: a session with five heads is no leak, so each
    # function gets a code object of its own, by another name. One that is traced again and again still warns.
    name = getattr(function, "__name__", type(function).__name__)
    call.__code__ = call.__code__.replace(co_name=f"{name}_{next(_numbers)}")
    alone = tf.function(call, jit_compile=True, autograph=False)

    def either(*tensors: Any) -> Any:
        return function(*tensors) if _is_within.get() else alone(*tensors)

    either.alone = alone  # type: ignore[attr-defined]  # for who asks for the compiled program
    return either


@functools.cache
def _start() -> None:
    """Compile something tiny, since XLA announces itself on stderr whatever the log level."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3":
        with stderr_held_back():
            tf.function(lambda x: x + 1.0, jit_compile=True, autograph=False)(tf.constant(0.0))
