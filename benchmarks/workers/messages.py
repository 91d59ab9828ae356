"""One of several workers that time what they tell each other; started by scaling.py, the first prints JSON.

Arguments: this worker's number, all addresses, a folder that all share.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import tensorflow as tf

from qssl_tf.distributed.cluster import claim
from qssl_tf.distributed.options import StrategyOptions
from qssl_tf.distributed.rendezvous import joined
from qssl_tf.distributed.secret import find_secret
from qssl_tf.distributed.strategies import make_strategy

NUMBER, ADDRESSES = int(sys.argv[1]), sys.argv[2].split(",")
CHAIN = 40
SIZES = (1_000, 100_000, 1_000_000, 11_000_000)  # floats
BATCHES = (64, 256, 1024)


def main() -> None:
    """Meet the others and take the times together."""
    secret = find_secret(Path(sys.argv[3]))
    options = StrategyOptions("multi_worker", cluster=claim(tuple(ADDRESSES), NUMBER), secret=secret)
    with joined(options, {}):
        strategy = make_strategy(options, 1024)

        from qssl_tf.distributed.replicas import gather, sum_over_replicas
        from qssl_tf.objectives.contrastive import NTXent, contrastive_accuracy

        def seconds(what) -> float:
            call = tf.function(lambda: strategy.run(what), autograph=False)
            times = []
            for _ in range(9):
                began = time.perf_counter()
                call().numpy()
                times.append(time.perf_counter() - began)
            return statistics.median(times[2:])

        def chain() -> tf.Tensor:
            x = tf.ones((2, 2, 64))
            for _ in range(CHAIN):
                x = sum_over_replicas(x) * 0.5
            return tf.reduce_sum(x)

        def whole(size: int) -> float:
            x = tf.Variable(tf.ones(size))
            return seconds(lambda: sum_over_replicas(x * 1.0)[0])

        def loss(batch: int) -> float:
            own = tf.random.stateless_normal((batch // len(ADDRESSES), 16), (1, NUMBER))

            def step() -> tf.Tensor:
                with tf.GradientTape() as tape:
                    tape.watch(own)
                    z_a, z_b = tf.split(gather(own), 2, axis=1)
                    value = NTXent(0.2)(z_a, z_b)
                found = tf.reduce_mean(contrastive_accuracy(z_a, z_b))
                return tf.reduce_sum(tape.gradient(value, own)) + found

            return seconds(step)

        found = {
            "message_s": seconds(chain) / CHAIN,
            "sums_s": {size: whole(size) for size in SIZES},
            "gather_and_loss_s": {batch: loss(batch) for batch in BATCHES},
        }
        if NUMBER == 0:
            print(json.dumps(found), flush=True)
        seconds(chain)  # nobody leaves before all have finished
    os._exit(0)


main()
