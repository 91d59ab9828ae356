"""Every operation of the training step can run on a GPU, judged by TensorFlow's own table of kernels.

TensorFlow's wheels for Linux list the kernels for GPUs also where there is none. What XLA compiles is judged by XLA's
kernels for GPUs, everything else by those of the GPU itself; `DEFAULT` stands for any device.
"""

from dataclasses import replace

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import pair_maker
from qssl_tf.models.build import build_simclr
from qssl_tf.presets import PRESETS

WIDE = (tf.float64, tf.complex128, tf.complex64)
IN_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
ARMS = {
    "digits": ("digits", {}),
    "paper": ("paper", {}),
    "best": ("best", {}),
    "classical": ("digits", {"head": "classical"}),
    "fourier": ("digits", {"head": "fourier"}),
    "products": ("digits", {"head": "trigonometric", "head_features": 36}),
    "shots": ("digits", {"shots": 100, "gradient": "parameter_shift"}),
    "noise": ("digits", {"noise": "depolarizing=0.01"}),
    "bfloat16": ("best", {"precision": "bfloat16"}),
    "float16": ("best", {"precision": "float16"}),
}
HAS_GPU_KERNELS = any(kernel.device_type == "GPU" for kernel in kernels.get_registered_kernels_for_op("MatMul").kernel)
pytestmark = pytest.mark.skipif(not HAS_GPU_KERNELS, reason="this TensorFlow was built without kernels for GPUs")


def traced_step(preset, settings):
    """Return the graph of a training step on 8 images, the making of the views included."""
    shape = (8, 8, 1) if preset == "digits" else (32, 32, 3)
    config = replace(PRESETS[preset], batch_size=8, **settings)
    augment = augmentation(config, shape)
    model = build_simclr(config, shape, augment)
    model.make_views, model.step_logs = pair_maker(augment), True
    inputs = tf.TensorSpec((8, *shape), tf.uint8), tf.TensorSpec((8, 2 * augment.n_draws), tf.float32)
    step = tf.function(lambda images, draws: model.train_step((images, draws)), autograph=False)
    return step.get_concrete_function(*inputs).graph.as_graph_def()


def operations(graph):
    """Yield (operation, its types, whether XLA compiles it) of a graph and of all functions it calls."""
    library = {function.signature.name: function for function in graph.library.function}
    todo, seen = [(graph.node, False)], set()
    while todo:
        nodes, compiled = todo.pop()
        for node in nodes:
            types = {tf.as_dtype(value.type) for value in node.attr.values() if value.WhichOneof("value") == "type"}
            yield node.op, types, compiled
            for name in called(node):
                inside = compiled or library[name].attr["_XlaMustCompile"].b or node.attr["_XlaMustCompile"].b
                if (name, inside) not in seen:
                    seen.add((name, inside))
                    todo.append((library[name].node_def, inside))


def called(node):
    """Return the names of the functions that a node calls."""
    found = [value.func.name for value in node.attr.values() if value.WhichOneof("value") == "func"]
    return found + [each.name for value in node.attr.values() for each in value.list.func]


@pytest.mark.parametrize("arm", ARMS)
def test_every_operation_has_a_kernel_for_gpus(arm):
    alone, within, counted = {"GPU", "DEFAULT"}, {"XLA_GPU_JIT"}, 0
    for operation, _, compiled in operations(traced_step(*ARMS[arm])):
        devices = {kernel.device_type for kernel in kernels.get_registered_kernels_for_op(operation).kernel}
        assert devices & (within if compiled else alone) or operation in ("Placeholder", "NoOp"), (operation, devices)
        assert operation not in IN_PYTHON and not operation.startswith("Tfq")
        counted += 1
    assert counted > 300


@pytest.mark.parametrize("arm", ARMS)
def test_no_operation_takes_double_precision(arm):
    assert [(name, types) for name, types, _ in operations(traced_step(*ARMS[arm])) if types & set(WIDE)] == []
