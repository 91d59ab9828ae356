"""What the head adds: the same probe on the encoder's numbers, on the head's output, and on what stands in for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import keras
import numpy as np

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.pipeline import image_batches
from qssl_tf.errors import UserError
from qssl_tf.evaluation.features import BATCH, angles_of, check_finite, head_outputs
from qssl_tf.evaluation.paired import mcnemar, paired_interval
from qssl_tf.evaluation.probe import PROTOCOLS, fit_probes, labelled_splits, training_passes
from qssl_tf.evaluation.readings import Reading, Readings, accuracy, judged_labels, mean_accuracy
from qssl_tf.evaluation.scores import Score
from qssl_tf.evaluation.statistics import paired_difference
from qssl_tf.evaluation.subject import Subject
from qssl_tf.evaluation.trained_run import TrainedRun, as_run
from qssl_tf.models.heads import TrigonometricFeatures, build_head
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.entanglers import has_entanglers, without_entanglers
from qssl_tf.quantum.measurement import Measurement
from qssl_tf.quantum.pauli_simulator import pauli_expectations, simulation
from qssl_tf.quantum.simulators import why_not_pauli
from qssl_tf.quantum.xla_simulator import xla_expectations
from qssl_tf.training.runs import open_run

STREAM = 13  # of random numbers, mixed into the seed: weights drawn anew
POINTS = "points"
HEAD, ENCODER, REDRAWN, BARE, WAVES = (
    "head", "encoder without head", "head drawn anew", "head without entanglers", "cosines and sines",
)  # fmt: skip
Part = Callable[[np.ndarray], np.ndarray]  # from the encoder's numbers, (n, width), to features


@dataclass(frozen=True)
class PartProbe:
    """The probes of one representation: one, or one for each draw of its weights.

    Attributes:
        predicted: Labels of the images that judge, shape (draws, m).
        features: Number of features.
        spread: Root of the mean variance of the features over the images that judge.
    """

    predicted: np.ndarray
    features: int
    spread: float


def head(subject: Subject) -> Readings:
    """Yield the probe's accuracy with the head, with each part in its place, and the paired differences.

    Raises:
        UserError: The run has no head to speak of, or one of `seeds` differs in more than its seed.
    """
    if len(parts(subject.model.head, subject.config, draws=2)) < 3:
        raise UserError(
            f"the judge 'head' must have a head that changes what the encoder gives, and that of {subject.run.folder} "
            f"is '{subject.config.head}'; leave the judge out, or name a run with another head."
        )
    subjects = [subject, *_others(subject)]
    for one in subjects:
        labelled_splits(one.data, one.config, one.split)  # refuses images without labels
    return _of_one(subject) if len(subjects) == 1 else _of_seeds(subjects)


def parts(head: keras.layers.Layer, config: Config, draws: int) -> dict[str, list[Part]]:
    """Return the representations that are compared: the head's output first, then what stands in for it.

    Args:
        head: The trained head.
        config: The run's settings.
        draws: How often weights are drawn anew.
    """
    table: dict[str, list[Part]] = {HEAD: [partial(head_outputs, head)], ENCODER: [lambda angles: angles]}
    if head.weights:
        table[REDRAWN] = [partial(head_outputs, redrawn(config, draw)) for draw in range(draws)]
    if isinstance(head, QuantumHead) and (bare := without_entangling_gates(head, config)):
        table[BARE] = [bare.predict]
    if config.head != "trigonometric" and not (config.head == "quantum" and config.encoding == "amplitude"):
        waves = TrigonometricFeatures()
        table[WAVES] = [partial(head_outputs, waves)]
    return {ENCODER: table[ENCODER]} if config.head == "identity" else table


def redrawn(config: Config, draw: int) -> keras.layers.Layer:
    """Return the head that settings describe with weights of its own, the same ones for each number of a draw."""
    seed = int(np.random.default_rng((config.seed, STREAM, draw)).integers(2**31 - 1))
    return build_head(replace(config, seed=seed))


def without_entangling_gates(head: QuantumHead, config: Config) -> QuantumHead | None:
    """Return a head with the same weights, measured in the same way, whose ansatz has lost its entangling gates.

    None where the ansatz has none, or where its noise can only be sampled by trajectories.
    """
    measurement = Measurement(head.shots, head.gradient, head.noise, head.noise_level, head.partial_measurement)
    if not has_entanglers(head.spec):
        return None
    if measurement.is_noisy and why_not_pauli(measurement, head.width, head.encoding):
        return None
    bare = build_head(config)
    bare.parameters.assign(head.parameters)
    bare.spec = without_entanglers(bare.spec)
    if measurement.device:
        from qssl_tf.compiler.twin import twin_simulation  # loads Qiskit

        run = twin_simulation(bare.spec, measurement.device, measurement.shots)
        bare.expectations = pauli_expectations(run, head.gradient)
    elif measurement.is_noisy:
        bare.expectations = pauli_expectations(simulation(bare.spec, measurement), head.gradient)
    else:
        bare.expectations = xla_expectations(bare.spec, measurement)
    return bare


def probed_parts(subject: Subject) -> dict[str, PartProbe]:
    """Probe each representation of a run on the same images, with the same views."""
    (train, judged), config = subject.labelled, subject.config
    angles = angles_of(subject.model, image_batches(judged.images, BATCH))
    passes = training_passes(lambda batches: angles_of(subject.model, batches)[np.newaxis], train, config)
    different = max(1, PROTOCOLS[config.probe_protocol](config))

    def probed(functions: Sequence[Part]) -> PartProbe:
        @lru_cache(maxsize=config.probe_passes)
        def of_pass(number: int) -> np.ndarray:
            return np.stack([function(passes(number)[0]) for function in functions])

        features = np.stack([function(angles) for function in functions])  # (draws, m, features)
        check_finite(features[0])
        fits = fit_probes(
            lambda epoch: of_pass(epoch % different),
            train.labels,
            features,
            judged.labels,
            subject.classes,
            config,
        )
        predicted = np.stack([fit.predict(rows) for fit, rows in zip(fits, features, strict=True)])
        return PartProbe(predicted, features.shape[2], float(np.sqrt(features.var(axis=1).mean())))

    table = parts(subject.model.head, config, subject.options.draws)
    return {name: probed(functions) for name, functions in table.items()}


def _of_one(subject: Subject) -> Readings:
    """Yield the accuracies of one run, with intervals over images."""
    labels = subject.labelled[1].labels
    probes = probed_parts(subject)
    for name, found in probes.items():
        note = f"{found.features} features of spread {found.spread:.2g}"
        if len(found.predicted) == 1:
            yield name, accuracy(labels, found.predicted[0], subject.classes, note)
        else:
            scores = [judged_labels(labels, one, subject.classes) for one in found.predicted]
            yield name, mean_accuracy(scores, "draws", f"{len(scores)} draws, {note}")
    whole = (probes[HEAD].predicted == labels)[0]
    for name in list(probes)[1:]:
        right = probes[name].predicted == labels
        mean = right.mean(axis=0)
        low, high = paired_interval(whole, mean)
        p = f", McNemar's exact p {mcnemar(whole, right[0]):.2g}" if len(right) == 1 else ""
        difference = 100 * float(np.mean(whole - mean))
        yield f"{HEAD} minus {name}", Reading(difference, POINTS, 100 * low, 100 * high, "images", note=f"paired{p}")


def _of_seeds(subjects: Sequence[Subject]) -> Readings:
    """Yield the mean accuracies of runs of several seeds, with intervals over seeds."""
    scores: dict[str, dict[int, Score]] = {}
    steps = []  # the smallest step between accuracies, in percent
    for one in subjects:
        labels = one.labelled[1].labels
        steps.append(100 / len(labels) / one.options.draws)
        for name, found in probed_parts(one).items():
            by_draw = [judged_labels(labels, predicted, one.classes) for predicted in found.predicted]
            means = (
                float(np.mean([getattr(each, part) for each in by_draw]))
                for part in ("accuracy", "balanced", "majority")
            )
            scores.setdefault(name, {})[one.config.seed] = Score(*means)
    for name, by_seed in scores.items():
        yield name, mean_accuracy(list(by_seed.values()), "seeds", f"{len(by_seed)} seeds")
    accuracies = {name: {seed: one.accuracy for seed, one in by_seed.items()} for name, by_seed in scores.items()}
    for name in list(accuracies)[1:]:
        paired = paired_difference(accuracies[HEAD], accuracies[name], min(steps))
        p = "" if paired.p_t is None else f", paired t test p {paired.p_t:.2g}"
        note = f"{paired.n} pairs{p}"
        yield f"{HEAD} minus {name}", Reading(paired.difference, POINTS, paired.low, paired.high, "seeds", note=note)


def _others(subject: Subject) -> list[Subject]:
    """Return the runs of `seeds`, opened for judges."""
    taken, found = {subject.config.seed}, []
    for place in subject.options.seeds:
        other = as_run(place)
        _check_same(subject, other, taken)
        taken.add(other.config.seed)
        config = replace(subject.config, seed=other.config.seed)
        run = open_run(other.folder)
        found.append(replace(subject, run=run, config=config, step=other.step, model=other.model, data=other.data))
    return found


def _check_same(subject: Subject, other: TrainedRun, taken: set[int]) -> None:
    """Refuse a run that is not of the same settings with a new seed.

    Raises:
        UserError: It names what differs.
    """
    free = {"seed": subject.run.config.seed} | subject.run.config.places()
    kept = {
        name: getattr(subject.run.config, name) for name in Config.__dataclass_fields__ if name.startswith("probe_")
    }
    differences = subject.run.config.differences(replace(other.config, **free, **kept))
    if differences:
        raise UserError(
            f"{argument('seeds')} must be runs with the settings of {subject.run.folder}; those of {other.folder} are "
            f"others ({'; '.join(differences)})."
        )
    if other.config.seed in taken:
        raise UserError(
            f"{argument('seeds')} must be runs of different seeds; {other.folder} has {other.config.seed} again."
        )
