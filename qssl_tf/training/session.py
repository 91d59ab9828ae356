"""Training sessions: a new or resumed run with its images, model and augmentation.

Commands, the Python API, searches and studies all start here, so they build the same model on the same images.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from qssl_tf.config import Config
from qssl_tf.data.augment import Augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.distributed.peers import Peers
from qssl_tf.models.precision import in_float32, say_if_slower
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.fit import build, pretrain
from qssl_tf.training.metadata import read_versions
from qssl_tf.training.provenance import custom_parts, replicas_of, twin_of
from qssl_tf.training.runs import Run, create_run


@dataclass(frozen=True)
class Session:
    """A run with everything that training needs.

    Attributes:
        run: The run.
        data: Its images.
        model: Its untrained model; if the run is resumed, training loads the saved state.
        augment: Its augmentation.
        resumed: Whether the run is resumed.
    """

    run: Run
    data: ImageData = field(repr=False)
    model: SimCLR = field(repr=False)
    augment: Augmentation = field(repr=False)
    resumed: bool

    def train(self, peers: Peers | None = None) -> str | None:
        """Train to the last step; see `fit.pretrain` for the return value and errors.

        Args:
            peers: The other workers, if any.
        """
        say_if_slower(self.run.config.precision)
        return pretrain(self.run, self.data, self.model, self.augment, self.resumed, peers)

    def model_for_use(self) -> SimCLR:
        """Return the model with the weights it has now, in float32 as `load_run` has it."""
        config = in_float32(self.run.config)
        if config == self.run.config:
            return self.model
        model = build(config, self.data)[0]
        model.set_weights(self.model.get_weights())
        return model


BuiltModel = tuple[SimCLR, Augmentation]


def new_session(
    config: Config,
    data: ImageData,
    runs_dir: Path,
    name: str | None = None,
    model_and_augmentation: BuiltModel | None = None,
) -> Session:
    """Build the model, and only then create the run folder.

    Args:
        config: The settings.
        data: The images, prepared as the settings say.
        runs_dir: Folder of all runs.
        name: Name of the run folder; None generates one.
        model_and_augmentation: The result of `fit.build` under a strategy; None builds for one device.

    Raises:
        UserError: Settings that cannot be combined or need too much memory, or a name that is taken.
    """
    model, augment = model_and_augmentation or build(config, data)
    parts, twin = custom_parts(config, model) | replicas_of(config, model), twin_of(model)
    run = create_run(config, runs_dir, name, data.name, data.metadata(), parts, twin)
    return Session(run, data, model, augment, resumed=False)


def resumed_session(run: Run, data: ImageData, model_and_augmentation: BuiltModel | None = None) -> Session:
    """Return a session that resumes a run.

    Args:
        run: The run.
        data: Its images.
        model_and_augmentation: The result of `fit.build` under a strategy; None builds for one device.

    Raises:
        UserError: Its settings have more weights than its state.
    """
    model, augment = model_and_augmentation or build(run.config, data, run.state)
    _report_exact_noise(run)
    _report_other_replicas(run, model)
    return Session(run, data, model, augment, resumed=True)


def _report_exact_noise(run: Run) -> None:
    """Print that the noise of a run is exact from here on, if it was sampled by an earlier version."""
    version = read_versions(run.folder).get("qssl-tf", "")
    if run.config.noise != "none" and run.config.simulator == "auto" and version.startswith("0.1."):
        print(
            f"{run.folder} was begun by version {version}, which sampled its noise; "
            "from here on noise is exact where it can be",
            flush=True,
        )


def _report_other_replicas(run: Run, model: SimCLR) -> None:
    """Print that a run with local batch statistics goes on with another number of replicas than it began with."""
    then, now = read_versions(run.folder).get("replicas"), replicas_of(run.config, model).get("replicas")
    if then is not None and now is not None and then != now:
        rows = run.config.batch_size // int(now)
        print(
            f"note: {run.folder} was begun on {then} replicas with batch statistics of their own; from here on they "
            f"are of {rows} images each, on {now}, and the training is another than it would have been",
            file=sys.stderr,
            flush=True,
        )
