"""A run that is to be trained, with everything training takes: new, or taken up where it stopped.

Commands, Python, searches and studies begin here, so that all build the same model on the same images.
"""

from dataclasses import dataclass, field
from pathlib import Path

from qssl_tf.config import Config
from qssl_tf.data.augment import Augmentation
from qssl_tf.data.images import ImageData
from qssl_tf.distributed.peers import Peers
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.fit import build, pretrain
from qssl_tf.training.provenance import own_parts
from qssl_tf.training.runs import Run, create_run


@dataclass(frozen=True)
class Session:
    """A run and what it is trained with.

    Attributes:
        run: The open run folder.
        data: Its images.
        model: Its model, untrained; training puts the kept state in, where it is taken up again.
        augment: Makes the views.
        resumed: Whether the run is taken up again.
    """

    run: Run
    data: ImageData = field(repr=False)
    model: SimCLR = field(repr=False)
    augment: Augmentation = field(repr=False)
    resumed: bool

    def train(self, peers: Peers | None = None) -> str | None:
        """Train to the last step; see `fit.pretrain` for what that returns and raises.

        Args:
            peers: The other workers, if there are any.
        """
        return pretrain(self.run, self.data, self.model, self.augment, self.resumed, peers)


Built = tuple[SimCLR, Augmentation]


def new_session(
    config: Config, data: ImageData, runs_dir: Path, name: str | None = None, built: Built | None = None
) -> Session:
    """Make a run folder for settings and images; what cannot be built ends before that.

    Args:
        config: The settings.
        data: The images, cut as the settings say.
        runs_dir: Folder of all runs.
        name: Of the run folder; None makes one.
        built: What `fit.build` made under a strategy; None builds on one device.

    Raises:
        UserError: Settings that do not go together or need more memory than there is, or a name that is taken.
    """
    model, augment = built or build(config, data)
    run = create_run(config, runs_dir, name, data.name, data.metadata(), own_parts(config, model))
    return Session(run, data, model, augment, resumed=False)


def resumed_session(run: Run, data: ImageData, built: Built | None = None) -> Session:
    """Take up a run again.

    Args:
        run: The open run folder.
        data: Its images.
        built: What `fit.build` made under a strategy; None builds on one device.

    Raises:
        UserError: Its settings ask for more weights than its state holds.
    """
    model, augment = built or build(run.config, data, run.state)
    return Session(run, data, model, augment, resumed=True)
