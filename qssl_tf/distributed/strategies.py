"""STRATEGIES: how TensorFlow spreads a training step over devices and machines."""

from collections.abc import Callable

import tensorflow as tf

from qssl_tf.commands import argument
from qssl_tf.distributed.options import StrategyOptions, check_shares
from qssl_tf.errors import UserError
from qssl_tf.quiet import stderr_held_back


def single(options: StrategyOptions) -> tf.distribute.Strategy:
    """Return TensorFlow's default: one replica, on a GPU if there is one."""
    return tf.distribute.get_strategy()


def mirrored(options: StrategyOptions) -> tf.distribute.Strategy:
    """Return one replica on each GPU of this machine, or on as many virtual CPU devices as asked for.

    Raises:
        UserError: There are fewer GPUs than asked for, or none and no number was given.
    """
    gpus, wanted = tf.config.list_physical_devices("GPU"), options.replicas
    if not gpus and wanted is None:
        raise UserError(
            f"{argument('strategy', 'mirrored')} found no GPU; "
            f"give {argument('replicas')} for virtual CPU devices, or leave it out."
        )
    count = wanted or len(gpus)
    if not gpus:
        virtual = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], virtual)
        return tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(count)])
    if count > len(gpus):
        raise UserError(f"{argument('replicas', count)}: this machine has {len(gpus)} GPUs.")
    return tf.distribute.MirroredStrategy([f"GPU:{number}" for number in range(count)])


def multi_worker(options: StrategyOptions) -> tf.distribute.Strategy:
    """Return one replica on each GPU of each worker, or one on the CPU of a worker without; all workers are there."""
    assert options.cluster is not None
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(options.cluster.addresses)}),
        task_type="worker",
        task_id=options.cluster.number,
        rpc_layer="grpc",
    )
    return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)


# Name on the command line -> function that makes it. To be called before anything else of TensorFlow.
STRATEGIES: dict[str, Callable[[StrategyOptions], tf.distribute.Strategy]] = {
    "single": single,
    "mirrored": mirrored,
    "multi_worker": multi_worker,
}


def make_strategy(options: StrategyOptions, batch_size: int) -> tf.distribute.Strategy:
    """Return the strategy that was chosen.

    Raises:
        UserError: Its devices are missing, or cannot share the batch evenly.
    """
    with stderr_held_back():  # TensorFlow tells each step of its start
        strategy = STRATEGIES[options.strategy](options)
    check_shares(batch_size, strategy.num_replicas_in_sync)
    return strategy
