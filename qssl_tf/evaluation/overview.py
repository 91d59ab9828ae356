"""A first look at a pretrained run: its figures, and how well neighbours in feature space agree."""

import math
from collections.abc import Sequence

from qssl_tf.data.images import ImageData
from qssl_tf.data.splits import Split
from qssl_tf.data.views import sample_views
from qssl_tf.evaluation.features import frozen_features
from qssl_tf.evaluation.knn import knn_labels
from qssl_tf.evaluation.scores import Score, confusion_matrix, score
from qssl_tf.files.write import replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.plots.run import loss_curve, view_sheet
from qssl_tf.training.history import read_history
from qssl_tf.training.runs import Run

SHOWN_PAIRS = 8


def draw_pretraining(run: Run, data: ImageData, history: Sequence[dict[str, str]]) -> None:
    """Draw `figures/loss.png` and `figures/views.png`."""
    config = run.config
    loss_curve(run.figure("loss"), history, random_loss=math.log(2 * config.batch_size - 1))
    view_sheet(run.figure("views"), *sample_views(data, config, min(SHOWN_PAIRS, len(data.train))))


def finish_run(run: Run, model: SimCLR, data: ImageData) -> str:
    """Keep the trained model as one file, draw the figures, and return what came out in a few words."""
    with replacing(run.model) as temporary:
        model.save(temporary)
    rows = read_history(run.history)
    draw_pretraining(run, data, rows)
    last = rows[-1]
    done = f"loss {float(last['loss']):.3f}, contrastive top-1 {100 * float(last['contrastive_accuracy']):.1f} %"
    judged = {name: split for name in ("validation", "test") if len(split := getattr(data, name).labelled())}
    if not data.class_names or not judged or not len(data.train.labelled()):
        return done  # without labels nobody knows which neighbours are right
    name = next(iter(judged))
    found, features = nearest_neighbours(model, data, judged[name])
    return f"{done}\nnearest neighbours in {features} features, {name} split: {found}"


def nearest_neighbours(model: SimCLR, data: ImageData, judged: Split) -> tuple[Score, int]:
    """Return how often the labelled training images next to `judged` have their class, and the number of features."""
    known = data.train.labelled()
    train, features = frozen_features(model, known.images), frozen_features(model, judged.images)
    found = knn_labels(train, known.labels, features)
    return score(confusion_matrix(judged.labels, found, len(data.class_names))), train.shape[1]
