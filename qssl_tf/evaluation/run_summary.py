"""What a user sees of a run once it is trained: its figures, and a nearest-neighbour score in one line."""

from collections.abc import Sequence

from qssl_tf.data.images import ImageData
from qssl_tf.data.views import sample_views
from qssl_tf.evaluation.knn import knn_score
from qssl_tf.files.write import replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.objectives.table import OBJECTIVES
from qssl_tf.plots.run import loss_curve, view_sheet
from qssl_tf.training.history import read_history
from qssl_tf.training.runs import Run

VIEW_PAIRS = 8  # in `figures/views.png`


def draw_pretraining(run: Run, data: ImageData, history: Sequence[dict[str, str]]) -> None:
    """Draw `figures/loss.png` and `figures/views.png`."""
    config, objective = run.config, OBJECTIVES[run.config.objective]
    equal_loss = None if objective.equal_loss is None else objective.equal_loss(config)
    loss_curve(run.figure("loss"), history, objective.title, equal_loss)
    view_sheet(run.figure("views"), *sample_views(data, config, min(VIEW_PAIRS, len(data.train))))


def finish_run(run: Run, model: SimCLR, data: ImageData) -> str:
    """Save the trained model as one file, draw the figures, and return a summary of one or two lines."""
    with replacing(run.model) as temporary:
        model.save(temporary)
    rows = read_history(run.history)
    draw_pretraining(run, data, rows)
    last = rows[-1]
    summary = f"loss {float(last['loss']):.3f}, contrastive top-1 {100 * float(last['contrastive_accuracy']):.1f} %"
    if "online_accuracy" in last:
        summary += f", online probe {100 * float(last['online_accuracy']):.1f} % of the last batch's views"
    splits = {name: split for name in ("validation", "test") if len(split := getattr(data, name).labelled())}
    if not data.class_names or not splits or not len(data.train.labelled()):
        return summary  # neighbours cannot be scored without labels
    name, split = next(iter(splits.items()))  # validation first: test images are for the final probe
    score, features, drawn = knn_score(model, data, split)
    return f"{summary}\nnearest neighbours in {features} features{drawn}, {name} split: {score}"
