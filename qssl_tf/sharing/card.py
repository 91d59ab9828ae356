"""The model card of a run (arXiv:1810.03993): what it is, from which data, how good, and under which licence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qssl_tf.commands import argument
from qssl_tf.config import WHERE, Config
from qssl_tf.errors import UserError
from qssl_tf.evaluation.scores import wilson
from qssl_tf.evaluation.statistics import summary
from qssl_tf.markup import code, plain, quoted
from qssl_tf.objectives.table import OBJECTIVES

PAPER = "Jaderberg et al., *Quantum Self-Supervised Learning* ([arXiv:2103.14653](https://arxiv.org/abs/2103.14653))"


@dataclass(frozen=True)
class CardContent:
    """What a card is written from.

    Attributes:
        name: Of the folder.
        config: The run's settings.
        data: The run's `data.json`.
        versions: The run's `versions.json`.
        step: Training steps of the weights.
        probe: The run's `probe.json`; None if it was not probed.
        others: Accuracies of runs with the same settings and other seeds, by seed, in percent.
        licence: Of the weights.
        unfinished: Which part of the training is missing, as `unfinished` of the training words it; may be empty.
        note: Further text, in Markdown; may be empty. All other texts are escaped.
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


def card(content: CardContent) -> str:
    """Return the card, in Markdown."""
    sections = (_model, _use, _accuracy, _data, _protocol)
    parts = [f"# {plain(content.name)}", *(section(content) for section in sections)]
    if content.note:
        parts.append(f"## Note\n\n{content.note}")
    parts.append(f"## Licence\n\nWeights: {plain(content.licence)}. The images keep the licence of their source.")
    return "\n\n".join(parts) + "\n"


def _model(content: CardContent) -> str:
    config = content.config
    head = f"the circuit {code(config.ansatz)} on {config.width} qubits"
    head += f", {config.layers} layer{'s' * (config.layers > 1)}"
    if config.head != "quantum":
        head = f"the head `{config.head}` of width {config.width}"
    shots = "" if config.head != "quantum" else f" ({'exact' if config.shots is None else f'{config.shots} shots'})"
    warning = (
        f"\n\n**These are not the weights of a whole training: {content.unfinished}.**" if content.unfinished else ""
    )
    return (
        f"An encoder {code(config.encoder)} and {head}{shots}, trained together {_objective(config)} as in "
        f"{PAPER}.{warning}"
    )


def _objective(config: Config) -> str:
    """Return what encoder and head were trained for, in words."""
    if config.objective == "nt_xent":
        return "without labels by contrastive learning"
    with_labels = "with" if OBJECTIVES[config.objective].labels else "without"
    return f"{with_labels} labels for the objective {code(config.objective)} in place of the contrastive one, otherwise"


def _use(content: CardContent) -> str:
    shape = " x ".join(map(str, content.data["image_shape"]))
    return (
        "## Use\n\n```python\nimport qssl_tf as q\n\n"
        f"run = q.load_run({quoted(content.name)})  # this folder\n"
        "features = run.features(images)\n```\n\n"
        f"`images` are bytes or fractions of {shape} pixels (height x width x channels). It is made for research on "
        "quantum heads; its features serve images like those below and promise nothing for others. `sha256sum --check "
        "SHA256SUMS` tells whether the files are complete."
    )


def _accuracy(content: CardContent) -> str:
    if content.probe is None:
        return "## Accuracy\n\nThis run was not probed."
    probe = content.probe
    low, high = wilson(round(probe["accuracy_last"] / 100 * probe["n_test"]), probe["n_test"])
    text = (
        f"## Accuracy\n\nA linear classifier on the {probe['features']} frozen features (protocol "
        f"{code(probe['protocol'])}, last epoch) is right on **{probe['accuracy_last']:.1f} %** of {probe['n_test']} "
        f"{plain(probe['split'])} images, {probe['majority_share']:.1f} % of which are of the largest class; the mean "
        f"over the classes (balanced accuracy) is {probe['balanced_accuracy']:.1f} %. The 95 % interval for the choice "
        f"of these images is {low:.1f} to {high:.1f} % (Wilson)."
    )
    if content.others:
        accuracies = {content.config.seed: probe["accuracy_last"], **content.others}
        text += _over_seeds(accuracies)
    by_class = ", ".join(f"{plain(name)}: {value:.0f}" for name, value in probe["per_class_accuracy"].items())
    return f"{text}\n\nBy class, in percent: {by_class}."


def _over_seeds(accuracies: Mapping[int, float]) -> str:
    stats = summary(list(accuracies.values()))
    each = ", ".join(f"{accuracy:.1f} (seed {seed})" for seed, accuracy in sorted(accuracies.items()))
    assert stats.sd is not None and stats.interval is not None  # there are two seeds or more
    low, high = stats.interval
    return (
        f"\n\nThe same settings with {stats.n} seeds: {stats.mean:.1f} ± {stats.sd:.1f} % (mean and sample standard "
        f"deviation; Student's 95 % interval of the mean {low:.1f} to {high:.1f} %): {each}."
    )


def _data(content: CardContent) -> str:
    data, with_labels = content.data, "with" if OBJECTIVES[content.config.objective].labels else "without"
    return (
        f"## Data\n\n{code(data['name'])}: {data['train_images']} training images, used {with_labels} labels; "
        f"{data['test_images']} test images. Classes: {', '.join(map(plain, data['class_names'])) or 'none'}. SHA-256 "
        f"of the training images: `{data['train_sha256']}`."
    )


def _protocol(content: CardContent) -> str:
    config = content.config
    defaults, values = Config().to_dict(), config.to_dict()
    changed = [
        f"| `{name}` | {plain(value) if isinstance(value, str) else value} |"
        for name, value in values.items()
        if value != defaults[name]
    ]
    table = "\n".join(["", "", "| setting | value |", "|---|---|", *changed]) if changed else ""
    packages = [name for name in ("qssl-tf", "tensorflow", "keras") if name in content.versions]
    versions = ", ".join(f"{name} {plain(content.versions[name])}" for name in packages)
    settings = "those that are not the package's defaults:" if changed else "they are the package's defaults."
    return (
        f"## Protocol\n\nSeed {config.seed}, {content.step} steps of {config.batch_size} images, with {versions}."
        f" All settings stand in `config.json`; {settings}{table}"
    )


def accuracies_by_seed(config: Config, others: Sequence[tuple[str, Config, float]]) -> dict[int, float]:
    """Return seed -> accuracy of other runs of the same settings.

    Args:
        config: The run's settings.
        others: Folder, settings and accuracy in percent of each other run.

    Raises:
        UserError: Settings other than the seed differ, or a seed occurs twice.
    """
    accuracies: dict[int, float] = {}
    for folder, other, accuracy in others:
        may_differ = ("seed", *WHERE)
        differences = [line for line in config.differences(other) if line.split(":")[0] not in may_differ]
        if differences:
            raise UserError(
                f"{argument('seeds')} must name runs with the same settings; "
                f"{folder} has others ({'; '.join(differences)})."
            )
        if other.seed == config.seed or other.seed in accuracies:
            raise UserError(
                f"{argument('seeds')} must name runs of other seeds; seed {other.seed} of {folder} is there twice."
            )
        accuracies[other.seed] = accuracy
    return accuracies
