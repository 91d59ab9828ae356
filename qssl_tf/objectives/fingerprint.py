"""Fingerprint of an own objective: the operations that its function asks TensorFlow for."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from qssl_tf.objectives.table import Objective

# What differs between two tracings of one function: seeds of the process, numbers of Python functions, and by the
# underscore what TensorFlow notes for itself.
VOLATILE = ("seed", "seed2", "token", "_")


def objective_fingerprint(
    loss: keras.losses.Loss, needs: Objective, rows: int, embeddings: int, queue: int | None = None
) -> str:
    """Return the SHA-256 of the operations of a loss, with their constants and without their names.

    It covers what the function calls and the numbers that it finds around itself, and not how it is written: comments
    and names of variables may change. What it reads from a `tf.Variable` is not covered.

    Args:
        loss: The loss.
        needs: What it is called with.
        rows: Images of a batch.
        embeddings: Length of an embedding.
        queue: Keys in the queue; None without one.

    Raises:
        UserError: The function fails on tables of these shapes.
    """
    function = tf.function(loss.call, autograph=False)
    graph = function.get_concrete_function(*_arguments(needs, rows, embeddings, queue)).graph.as_graph_def()
    library = {function.signature.name: function.node_def for function in graph.library.function}
    return _of_nodes(graph.node, library)


def _arguments(needs: Objective, rows: int, embeddings: int, queue: int | None) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    """Return the shapes of `y_true` and `y_pred`, as the table in `Objective` has them."""
    if needs.labels:
        return tf.TensorSpec((rows,)), tf.TensorSpec((rows, 2, embeddings))  # Keras hands labels over as float32
    if needs.queue:
        return tf.TensorSpec((rows + (queue or 0), embeddings)), tf.TensorSpec((rows, embeddings))
    both = 2 * rows if needs.predictor or needs.target else rows
    return tf.TensorSpec((both, embeddings)), tf.TensorSpec((both, embeddings))


def _of_nodes(nodes: Iterable[Any], library: Mapping[str, Iterable[Any]]) -> str:
    """Return the SHA-256 of a graph's nodes in order, its inner functions (of conditions and loops) included."""
    numbers: dict[str, int] = {}
    digest = hashlib.sha256()
    for node in nodes:
        numbers[node.name] = len(numbers)
        digest.update(f"{node.op} {[_numbered(name, numbers) for name in node.input]}".encode())
        for name, value in sorted(node.attr.items()):
            if name in VOLATILE or name.startswith("_"):
                continue
            inner = [value.func.name] if value.HasField("func") else [func.name for func in value.list.func]
            parts = [_of_nodes(library[one], library).encode() for one in inner if one in library]
            digest.update(b" ".join([name.encode(), *(parts or [value.SerializeToString(deterministic=True)])]))
    return digest.hexdigest()


def _numbered(name: str, numbers: Mapping[str, int]) -> str:
    """Return an input with the number of the node that it comes from in place of that node's name."""
    control = "^" if name.startswith("^") else ""
    node, *output = name.removeprefix("^").split(":")
    return ":".join([f"{control}{numbers.get(node, node)}", *output])
