"""Replicas beside one process: the same loss, gradients, batch statistics and training, in a process with N devices."""

import json

import pytest

from qssl_tf.distributed.options import STRATEGY_NAMES

CASES = {"params": [(2, {}), (4, {"simulator": "tfq", "angle_norm": True})], "ids": ["2, xla", "4, tfq"]}


def compared(script, case, *names):
    replicas, settings = case
    done = script("tests/distributed/virtual_devices.py", replicas, json.dumps(settings), *names, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", **CASES)
def found(request, script):
    return compared(
        script,
        request.param,
        "nt-xent",
        "images",
        "vectors",
        "local",
        "chunks",
        "adam",
        "scaled adam",
        "worker step",
        "kernels",
        "scaled",
        "shots",
    )


@pytest.fixture(scope="module", **CASES)
def viewed(request, script):
    return compared(script, request.param, "views")["views"]


@pytest.fixture(scope="module", params=[(2, {})], ids=["2"])
def objectives(request, script):
    return compared(script, request.param, "objectives", "local objectives")


@pytest.fixture(scope="module", params=[(2, {})], ids=["2"])
def judged(request, script):
    return compared(script, request.param, "online probe")["online probe"]


@pytest.fixture(scope="module", **CASES)
def trained(request, script):
    return compared(script, request.param, "training")["training"]


def test_nt_xent_over_all_rows_and_its_gradient(found):
    assert found["nt-xent"]["loss"] < 1e-6 and found["nt-xent"]["loss gradient"] < 1e-6


@pytest.mark.parametrize("inputs", ["images", "vectors"])
def test_batch_norm_over_all_rows(found, inputs):
    assert found[inputs]["outputs"] < 1e-5
    assert found[inputs]["gradients"] < 1e-5
    assert found[inputs]["running statistics"] < 1e-6


@pytest.mark.parametrize("case", ["local", "chunks", "adam", "scaled adam"])
def test_local_statistics_are_those_of_each_replicas_rows(found, case):
    """Keras's own layers on each shard and view alone are the judge; a step over all rows is far from that."""
    local = found[case]
    assert local["loss"] < 1e-5 and local["weights and statistics"] < 1e-4
    assert local["loss of all rows"] > 1e-2 and local["those of all rows"] > 1e-2
    assert local["between replicas"] == 0.0


def test_the_step_of_a_worker_logs_and_learns_what_that_of_keras_does(found):
    assert {"loss", "contrastive_accuracy", "embedding_std", "weights"} <= found["worker step"].keys()
    assert set(found["worker step"].values()) == {0.0}


def test_gradients_of_kernels_that_lie_on_padding_are_summed(found):
    """Only the taps that meet pixels are sent: two steps of the optimizer end where those on the whole sum do."""
    assert found["kernels"]["weights"] < 5e-7 and found["kernels"]["way"] > 1e-3


def test_a_scaled_loss_leaves_a_step_out_wherever_it_overflows(found):
    """Plain Adam on the sum of the gradients is the judge; then each replica overflows once, and halves the scale."""
    scaled = found["scaled"]
    moved = {name: value for name, value in scaled.items() if name.startswith("moved")}
    assert scaled["weights"] < 1e-6 and len(moved) in (2, 4)
    assert set(moved.values()) == {0.0}
    assert scaled["scale"] == 2.0 ** (15 - len(moved))


@pytest.mark.parametrize("simulator", ["tfq", "xla"])
def test_each_replica_measures_on_its_own(found, simulator):
    """Two calls on each replica, 256 expectations each: right in the mean, and none repeats another's."""
    shots = found["shots"][simulator]
    assert shots["largest z"] < 5.5
    assert 0.8 < shots["spread"] < 1.2
    assert shots["largest correlation"] < 0.35  # 5.6 standard deviations of independent ones


def test_shots_and_signs_belong_to_rows_of_the_global_batch(viewed):
    """Any other draw moves an output by 1/10 or more, or turns the sign of a slope; rounding moves neither."""
    assert len(viewed) == 4
    for settings, parts in viewed.items():
        assert max(parts.values()) < 1e-3, settings


def test_every_kind_of_objective_takes_the_step_of_one_process(objectives):
    """Labels, predictor, target network and queue: nearer to one process than that is to itself with another image."""
    for name, found in objectives["objectives"].items():
        for what in ("losses", "weights and what is kept"):
            assert max(found[what], found[f"rounding: {what}"]) < found[f"one image: {what}"], (name, what)
        assert found["between replicas"] == 0.0, name


def test_target_and_queue_are_equal_on_replicas_with_statistics_of_their_own(objectives):
    assert {name: found["between replicas"] for name, found in objectives["local objectives"].items()} == {
        "byol": 0.0,
        "moco": 0.0,
    }


def test_an_online_probe_learns_from_the_global_batch(judged):
    assert judged["accuracies"] < 1e-6 and judged["variables"] < 1e-4


def test_twenty_steps_end_in_the_same_weights(trained):
    """Nearer to one process than that is to itself with another image in each batch: see judges/rounding.py."""
    assert len(trained["parts"]) > 20
    for name, part in trained["parts"].items():
        assert max(part, trained["rounding"][name]) < trained["one image"][name], name


def test_the_words_of_the_command_line_are_those_of_the_table():
    from qssl_tf.distributed.strategies import STRATEGIES

    assert tuple(STRATEGIES) == STRATEGY_NAMES
