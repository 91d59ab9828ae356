"""The model card of a run (arXiv:1810.03993): what it is, from which data, how good, and under which licence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.scores import wilson
from qssl_tf.evaluation.statistics import summary
from qssl_tf.markup import code, plain, quoted

PAPER = "Jaderberg et al., *Quantum Self-Supervised Learning* ([arXiv:2103.14653](https://arxiv.org/abs/2103.14653))"


@dataclass(frozen=True)
class Facts:
    """What a card says.

    Attributes:
        name: Of the folder.
        config: The run's settings.
        data: The run's `data.json`.
        versions: The run's `versions.json`.
        step: Training steps of the weights.
        probe: The run's `probe.json`; None where it was not probed.
        others: Accuracies of runs with the same settings and other seeds, by seed, in percent.
        licence: Of the weights.
        unfinished: What the weights lack of the whole training, as `training.runs.unfinished` says it; may be empty.
        note: What a reader must know besides, in Markdown; may be empty. All other texts are shown as they are.
    """

    name: str
    config: Config
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    step: int
    probe: Mapping[str, Any] | None
    others: Mapping[int, float]
    licence: str
    unfinished: str = ""
    note: str = ""


def card(facts: Facts) -> str:
    """Return the card as Markdown."""
    parts = [f"# {plain(facts.name)}", _what(facts), _use(facts), _accuracy(facts), _data(facts), _protocol(facts)]
    if facts.note:
        parts.append(f"## Note\n\n{facts.note}")
    parts.append(f"## Licence\n\nWeights: {plain(facts.licence)}. The images keep the licence of their source.")
    return "\n\n".join(parts) + "\n"


def _what(facts: Facts) -> str:
    config = facts.config
    head = f"the circuit {code(config.ansatz)} on {config.width} qubits"
    head += f", {config.layers} layer{'s' * (config.layers > 1)}"
    if config.head != "quantum":
        head = f"the head `{config.head}` of width {config.width}"
    shots = "" if config.head != "quantum" else f" ({'exact' if config.shots is None else f'{config.shots} shots'})"
    return (
        f"An encoder {code(config.encoder)} and {head}{shots}, trained together without labels by contrastive learning "
        f"as in {PAPER}."
        + (f"\n\n**These are not the weights of a whole training: {facts.unfinished}.**" if facts.unfinished else "")
    )


def _use(facts: Facts) -> str:
    shape = " x ".join(map(str, facts.data["image_shape"]))
    return (
        "## Use\n\n```python\nimport qssl_tf as q\n\n"
        f"run = q.load_run({quoted(facts.name)})  # this folder\n"
        "features = run.features(images)\n```\n\n"
        f"`images` are bytes or fractions of {shape} pixels (height x width x channels). It is made for research on "
        "quantum heads; its features serve images like those below and promise nothing for others. `sha256sum --check "
        "SHA256SUMS` tells whether the files are complete."
    )


def _accuracy(facts: Facts) -> str:
    if facts.probe is None:
        return "## Accuracy\n\nThis run was not probed."
    probe = facts.probe
    low, high = wilson(round(probe["accuracy_last"] / 100 * probe["n_test"]), probe["n_test"])
    text = (
        f"## Accuracy\n\nA linear classifier on the {probe['features']} frozen features (protocol "
        f"{code(probe['protocol'])}, last epoch) is right on **{probe['accuracy_last']:.1f} %** of {probe['n_test']} "
        f"{plain(probe['split'])} images, {probe['majority_share']:.1f} % of which are of the largest class; the mean "
        f"over the classes (balanced accuracy) is {probe['balanced_accuracy']:.1f} %. The 95 % interval for the choice "
        f"of these images is {low:.1f} to {high:.1f} % (Wilson)."
    )
    if facts.others:
        accuracies = {facts.config.seed: probe["accuracy_last"], **facts.others}
        text += _over_seeds(accuracies)
    by_class = ", ".join(f"{plain(name)}: {value:.0f}" for name, value in probe["per_class_accuracy"].items())
    return f"{text}\n\nBy class, in percent: {by_class}."


def _over_seeds(accuracies: Mapping[int, float]) -> str:
    found = summary(list(accuracies.values()))
    each = ", ".join(f"{accuracy:.1f} (seed {seed})" for seed, accuracy in sorted(accuracies.items()))
    assert found.sd is not None and found.interval is not None  # of two seeds or more
    low, high = found.interval
    return (
        f"\n\nThe same settings with {found.n} seeds: {found.mean:.1f} ± {found.sd:.1f} % (mean and sample standard "
        f"deviation; Student's 95 % interval of the mean {low:.1f} to {high:.1f} %): {each}."
    )


def _data(facts: Facts) -> str:
    data = facts.data
    return (
        f"## Data\n\n{code(data['name'])}: {data['train_images']} training images, used without labels; "
        f"{data['test_images']} test images. Classes: {', '.join(map(plain, data['class_names'])) or 'none'}. SHA-256 "
        f"of the training images: `{data['train_sha256']}`."
    )


def _protocol(facts: Facts) -> str:
    default, values = Config().to_dict(), facts.config.to_dict()
    changed = [
        f"| `{name}` | {plain(value) if isinstance(value, str) else value} |"
        for name, value in values.items()
        if value != default[name]
    ]
    table = "\n".join(["", "", "| setting | value |", "|---|---|", *changed]) if changed else ""
    packages = [name for name in ("qssl-tf", "tensorflow", "keras") if name in facts.versions]
    used = ", ".join(f"{name} {plain(facts.versions[name])}" for name in packages)
    which = "those that are not the package's defaults:" if changed else "they are the package's defaults."
    return (
        f"## Protocol\n\nSeed {facts.config.seed}, {facts.step} steps of {facts.config.batch_size} images, with {used}."
        f" All settings stand in `config.json`; {which}{table}"
    )


def seeds_of(config: Config, probed: Sequence[tuple[str, Config, float]]) -> dict[int, float]:
    """Return the accuracy of each other seed.

    Args:
        config: The run's settings.
        probed: Folder, settings and accuracy in percent of other runs.

    Raises:
        UserError: One has other settings than its seed, or a seed comes twice.
    """
    found: dict[int, float] = {}
    for folder, other, accuracy in probed:
        ours = ("seed", "data_dir")
        different = [line for line in config.differences(other) if line.split(":")[0] not in ours]
        if different:
            raise UserError(
                f"{argument('seeds')} must name runs with the same settings; "
                f"{folder} has others ({'; '.join(different)})."
            )
        if other.seed == config.seed or other.seed in found:
            raise UserError(
                f"{argument('seeds')} must name runs of other seeds; seed {other.seed} of {folder} is there twice."
            )
        found[other.seed] = accuracy
    return found
