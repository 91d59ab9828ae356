"""Plans within a budget: against a search that tries everything, closed forms, and sentences."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.device.backends import Device, device
from qssl_tf.device.budget import budget_seconds, cut, expected_margin, more_than_half, planned_within
from qssl_tf.device.costs import Cost, cost_on
from qssl_tf.device.inputs import Problem, stratified
from qssl_tf.device.ledger import planned
from qssl_tf.device.options import DeviceOptions
from qssl_tf.durations import duration, read_time
from qssl_tf.errors import UserError
from qssl_tf.evaluation.classifier import LinearFit

COST = Cost(shot=300e-6, job=5.0)
MOST = 10_000_000  # executions of a job


def task(images=200, calibration=50, scale=1.0):
    """Two classes, told apart by the sign of one of two observables, which lie near 0 for a small scale."""
    rng = np.random.default_rng(0)
    exact = np.clip(scale * rng.normal(0, 0.3, (calibration + images, 2)), -1, 1)
    labels = (exact[calibration:, 0] > 0).astype(int)
    kernel = np.array([[-1.0, 1.0], [0.0, 0.0]])
    fit, rows = LinearFit(kernel, np.zeros(2), []), rng.uniform(0, 3, (calibration + images, 4))
    return Problem(None, np.zeros(1), rows, exact, labels, np.arange(images), fit, ("a", "b"), 1)


def test_seconds_are_those_of_the_jobs_written_out():
    jobs = planned(rows=250, calibration=50, at_most=120, each=True)
    seconds = COST.seconds(sum(map(len, jobs)), len(jobs), shots=1024)
    assert seconds == pytest.approx(sum(5.0 + len(rows) * 1024 * 300e-6 for rows in jobs))


def test_a_shot_lasts_as_long_as_its_gates_and_the_pause_behind_it():
    from qiskit import QuantumCircuit

    backend, circuit = snapshot("fake_nighthawk"), QuantumCircuit(1)
    circuit.x(0)
    compiled = compile_head(circuit, backend)[0]
    place = (compiled.layout[0],)
    pulse = sum(
        backend.target[item.operation.name][place].duration or 0.0
        for item in compiled.circuit.data
        if item.operation.name != "barrier"
    )
    assert cost_on(device("fake_nighthawk"), [compiled.circuit]).shot == pytest.approx(250e-6 + pulse)
    assert cost_on(device("aer"), [circuit, circuit]).shot == pytest.approx(2 * 250e-6)  # nothing says how long


@settings(max_examples=40, deadline=None)
@given(budget=st.floats(8, 3000), images=st.integers(1, 300), circuits=st.sampled_from([1, 2]))
def test_a_plan_is_the_best_of_all_that_fit(budget, images, circuits):
    """Each number of shots, calibration rows and images is tried; jobs are those that would be submitted."""
    problem, options = task(images), DeviceOptions()
    best = None
    for shots in (64, 128, 256, 512, 1024, 2048, 4096, 8192):
        room = MOST // (shots * circuits)
        for calibration in (10, 25, 50):
            for count in range(images, 0, -1):
                jobs = planned(calibration + count, calibration, room, each=True)
                if sum(5.0 + len(rows) * shots * COST.shot for rows in jobs) <= budget:
                    margin = expected_margin(problem, count, shots, calibration, 0.8)
                    best = margin if best is None else min(best, margin)
                    break
    if best is None:
        with pytest.raises(UserError, match="^`budget` must be at least "):
            planned_within(budget, COST, problem, options, circuits, 0.8)
        return
    plan = planned_within(budget, COST, problem, options, circuits, 0.8)
    assert plan.margin == pytest.approx(best) and plan.seconds <= budget


def test_what_is_asked_for_stays():
    plan = planned_within(60.0, COST, task(), DeviceOptions(shots=200), 1, 0.9)
    assert plan.shots == 200
    plan = planned_within(60.0, COST, task(images=30), DeviceOptions(images=30), 1, 0.9)
    assert plan.images == 30
    with pytest.raises(UserError) as error:
        planned_within(60.0, COST, task(images=200), DeviceOptions(images=200, shots=4096), 1, 0.9)
    least = 5.0 + 210 * 4096 * 300e-6
    assert str(error.value) == (
        f"`budget` must be at least {np.ceil(least):.0f} s for the smallest device run that was asked for; got 60 s."
    )


def test_the_margin_is_wilsons_neighbour_where_shots_cost_nothing():
    """All images right and so many shots that none crosses over: (p n + 2) / (n + 4) of Agresti and Coull, 1998."""
    problem = task()
    share = (200 + 2) / (200 + 4)
    found = expected_margin(problem, 200, 10**9, 50, 1.0)
    assert found == pytest.approx(100 * 1.96 * np.sqrt(share * (1 - share) / 200), abs=1e-6)


def test_images_near_a_border_ask_for_more_shots():
    near, far = (planned_within(60.0, COST, task(scale=scale), DeviceOptions(), 1, 0.9) for scale in (0.05, 3.0))
    assert near.shots > far.shots


def test_fewer_images_are_the_first_of_all_of_them():
    labels = np.random.default_rng(0).integers(0, 5, 300)
    np.testing.assert_array_equal(stratified(labels, 40, 7), stratified(labels, 300, 7)[:40])
    whole = task()
    plan = planned_within(20.0, COST, whole, DeviceOptions(), 1, 0.9)
    part = cut(whole, plan)
    assert part.calibration == plan.calibration and len(part.labels) == plan.images < 200
    np.testing.assert_array_equal(part.exact[part.calibration :], whole.exact[50 : 50 + plan.images])
    np.testing.assert_array_equal(part.rows[: part.calibration], whole.rows[: plan.calibration])


def real(left):
    client = SimpleNamespace(usage=lambda: {} if left is None else {"usage_remaining_seconds": left})
    return Device("ibm_x", SimpleNamespace(service=client), is_local=False)


def test_what_the_account_has_left():
    assert budget_seconds(real(412), DeviceOptions("ibm_x", budget="left")) == 412
    assert budget_seconds(real(412), DeviceOptions("ibm_x", budget="4m")) == 240
    assert more_than_half(real(100), 50.0) == more_than_half(real(None), 1e9) == ""
    assert more_than_half(real(100), 51.0) == "this takes about 51 of the 100 s that the account has left"


@pytest.mark.parametrize("budget", [0, -3, float("nan"), True, [], float("inf")])
def test_a_budget_that_is_no_time(budget):
    with pytest.raises(UserError) as error:
        DeviceOptions(budget=budget)
    assert str(error.value) == f"`budget` must be seconds above 0, a time such as 4m, or left; got {budget!r}."


def test_times_are_read_as_they_are_written():
    assert [read_time(text) for text in ("90m", "1.5h", "30s", None)] == [5400, 5400, 30, None]
    assert [duration(seconds) for seconds in (50, 720, 12240)] == ["50 s", "12 min", "3.4 h"]
