"""The whole training step compiled by XLA, as one program."""

import re

import keras
import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, reason


def compile_by_xla(model: keras.Model) -> None:
    """Have Keras compile the training step of a compiled SimCLR model by XLA.

    A GPU then runs one program a step, where it would wait for some hundred small kernels to be started one by one.
    The model does not ask for it by itself, since XLA makes convolutions several times slower on a processor.

    Raises:
        UserError: The head runs on TensorFlow Quantum, or the model was built for several replicas.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise UserError(
            f"{argument('xla_step', True)} is for one device; got a strategy with "
            f"{tf.distribute.get_strategy().num_replicas_in_sync} replicas, whose messages XLA cannot compile; leave "
            "one of them out."
        )
    if not getattr(model.head, "runs_in_xla", True):
        raise UserError(
            f"{argument('xla_step', True)} needs a head that XLA can compile, and TensorFlow Quantum has nothing for "
            f"it; got simulator '{model.head.simulator}'; take {argument('simulator', 'auto')}, and settings that "
            "this package's own simulators support."
        )
    target = [] if model.target is None else [model.target, model.target.head]
    for part in (model.head, *target, model):
        part.supports_jit = True  # both say no by themselves: Keras would choose XLA wherever there is a GPU
    model.jit_compile = True


def refuse_uncompilable(error: tf.errors.OpError) -> None:
    """Say in one line that XLA cannot compile a part of the step, if that is what an error of TensorFlow says.

    Raises:
        UserError: It is.
    """
    if "tf2xla conversion failed" not in error.message:
        return
    without = sorted(set(re.findall(r"No registered '(\w+)' OpKernel for XLA", error.message)))
    said = re.search(r"<stack traces unavailable>\s+(.+)", error.message)  # and then what XLA says of a node
    why = f"it has nothing for {', '.join(without)}" if without else said[1] if said else reason(error)
    raise UserError(
        f"{argument('xla_step', True)} needs a step that XLA can compile as a whole, with an encoder of your own as "
        f"well; {why}. Leave it out, or change that part."
    ) from None
