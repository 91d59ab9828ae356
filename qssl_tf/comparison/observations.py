"""Which trained and probed runs may stand beside each other: one data set, one set of versions, one probe."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qssl_tf.data.splits import BY_IMAGE
from qssl_tf.errors import UserError

# Of what made a run, what its accuracy does not depend on, or what arms may differ in.
NOT_COMPARED = ("machine", "commit", "dataset", "replicas")
OWN_PART = "_sha256"  # ends the name of the fingerprint of a circuit or encoder of the user's own


@dataclass(frozen=True)
class Observation:
    """A run as a comparison sees it.

    Attributes:
        arm: What it is compared as.
        seed: Of the run; runs of equal seed are a pair.
        accuracy: Of the test images after the probe's last epoch, in percent.
        source: What a message calls it: its folder or record.
        data: Name of the data set, number of its test images, names of its classes.
        test_sha256: Fingerprint of the test images, of their pixels or by image; None where none was kept.
        settings: Settings but for seed and places, with fingerprints of the user's own parts.
        versions: What made it, by package.
        probe: How it was probed, such as `cached probe of the last step`.
        probe_settings: The probe's numbers by setting; those that were not kept are not compared.
    """

    arm: str
    seed: int
    accuracy: float
    source: str
    data: tuple[str, int, tuple[str, ...]]
    test_sha256: str | None
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    probe: str
    probe_settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def test_images(self) -> int:
        """The number of test images."""
        return self.data[1]


def own_parts(versions: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprints of the user's own circuit and encoder, which are as good as settings."""
    return {name: value for name, value in versions.items() if name.endswith(OWN_PART)}


def refuse_other_data(observations: Sequence[Observation]) -> None:
    """Refuse runs that were judged on other images.

    Raises:
        UserError: It names two of them, with their data.
    """
    first = observations[0]
    by_kind: dict[bool, Observation] = {}  # fingerprints of pixels, and those by image, cannot be compared
    for other in observations:
        if other.data != first.data:
            raise UserError(
                f"compared runs must be judged on the same test images; {first.source} has {_told(first)}, "
                f"{other.source} {_told(other)}: leave out one of them."
            )
        if other.test_sha256 is None:
            continue
        like = by_kind.setdefault(other.test_sha256.startswith(BY_IMAGE), other)
        if other.test_sha256 != like.test_sha256:
            raise UserError(
                f"compared runs must be judged on the same test images; those of {like.source} and {other.source} "
                f"are {first.test_images} of {first.data[0]} each, with other pixels or labels: leave out one of them."
            )


def _told(observation: Observation) -> str:
    name, images, classes = observation.data
    return f"{images} of {name} in {len(classes)} classes"


def comparable(observations: Sequence[Observation]) -> tuple[dict[str, dict[int, float]], list[str]]:
    """Return the accuracies by arm and seed, and sentences about the runs that were left out.

    Of runs that were made by other packages, probed in another way, or are of other settings than the rest of their
    arm, the more common kind stays, the first where both are as common. A seed that an arm has twice counts with its
    first run.

    Raises:
        UserError: Runs were judged on different images.
    """
    refuse_other_data(observations)
    sentences: list[str] = []
    kept = _keep_common(observations, lambda one: dict(_packages(one)), "was made by", sentences)
    kept = _keep_common(kept, lambda one: {"probe": one.probe}, "has a", sentences)
    kept = _keep_common(kept, lambda one: one.probe_settings, "was probed with", sentences)
    by_arm: dict[str, dict[int, float]] = {name: {} for name in dict.fromkeys(one.arm for one in observations)}
    for name, by_seed in by_arm.items():
        of_arm = [one for one in kept if one.arm == name]
        for one in _keep_common(of_arm, lambda one: dict(one.settings), "has", sentences):
            if one.seed in by_seed:
                sentences.append(f"{one.source} is left out: {name} has another run of seed {one.seed}.")
                continue
            by_seed[one.seed] = one.accuracy
    return {name: dict(sorted(by_seed.items())) for name, by_seed in by_arm.items()}, sentences


def _packages(observation: Observation) -> dict[str, str]:
    return {
        name: version
        for name, version in observation.versions.items()
        if name not in NOT_COMPARED and not name.endswith(OWN_PART)
    }


def _keep_common(
    observations: Sequence[Observation],
    traits: Callable[[Observation], Mapping[str, Any]],
    verb: str,
    sentences: list[str],
) -> list[Observation]:
    """Return the observations whose traits are the most common ones; say why each of the others is left out."""
    values: dict[str, list[str]] = {}
    for one in observations:
        for name, value in traits(one).items():
            values.setdefault(name, []).append(str(value))
    common = {name: Counter(of_all).most_common(1)[0][0] for name, of_all in values.items()}
    kept = []
    for one in observations:
        others = {name: str(value) for name, value in traits(one).items() if str(value) != common[name]}
        if not others:
            kept.append(one)
            continue
        words = ", ".join(
            f"{value} where the others have a {common[name]}" if name == "probe" else f"{name} {value} ({common[name]})"
            for name, value in others.items()
        )
        beside = "" if "probe" in others else ", in brackets what most have"
        sentences.append(f"{one.arm} seed {one.seed} ({one.source}) is left out: it {verb} {words}{beside}.")
    return kept


def unpaired(arms: Mapping[str, Mapping[int, float]], baseline: str) -> list[str]:
    """Return sentences that name the seeds that cannot be paired with the baseline."""
    sentences = []
    base = arms[baseline]
    for name, by_seed in arms.items():
        for has, lacks, seeds in (
            (name, baseline, sorted(by_seed.keys() - base.keys())),
            (baseline, name, sorted(base.keys() - by_seed.keys())),
        ):
            if name != baseline and seeds:
                numbers = ", ".join(map(str, seeds))
                sentences.append(f"{has} has seed {numbers} and {lacks} has not: no pair.")
    return sentences
