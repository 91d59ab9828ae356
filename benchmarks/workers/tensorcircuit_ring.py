"""TensorCircuit-NG with JAX: the ring, batched by vmap, differentiated in reverse mode, compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import tensorcircuit as tc
from serve import problem, serve

tc.set_backend("jax")
given = problem()
width = given["angles"].shape[1]


def expectations(angles, weights):
    """Return <Z> of each qubit for one row."""
    circuit = tc.Circuit(width)
    for i in range(width):
        circuit.rx(i, theta=angles[i])
    for layer in weights.reshape(-1, 2, width):
        for i in range(width):
            circuit.ry(i, theta=layer[0, i])
        for i in range(width):
            circuit.crx(i, (i + 1) % width, theta=layer[1, i])
    return jnp.stack([jnp.real(circuit.expectation_ps(z=[i])) for i in range(width)])


def total(angles, weights, upstream):
    """Return the weighted sum, and the values beside it."""
    values = jax.vmap(expectations, in_axes=(0, None))(angles, weights)
    return jnp.sum(values * upstream), values


step = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True))
arrays = [jnp.asarray(given[name]) for name in ("angles", "weights", "upstream")]


def call():
    """Run one forward and backward pass."""
    (_, values), (by_angles, by_weights) = jax.block_until_ready(step(*arrays))
    return {"values": np.asarray(values), "by_angles": np.asarray(by_angles), "by_weights": np.asarray(by_weights)}


serve(call)
