"""Files of TensorBoard's embedding projector: features, classes and thumbnails, to be turned and searched by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.splits import UNLABELLED
from qssl_tf.errors import UserError
from qssl_tf.files.write import replacing, write_text
from qssl_tf.markup import printable

SHOWN = 5000  # rows; thumbnails of more make a picture that browsers refuse
SPRITE_SIDE = 8192  # pixels; the projector takes no larger picture


def write_projector(
    folder: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], images: np.ndarray
) -> Path:
    """Write what `tensorboard --logdir FOLDER` shows under Projector.

    Args:
        folder: TensorBoard's folder; `projector_config.pbtxt` and three files beside it are written.
        features: Shape (n, features).
        labels: Shape (n,): places in `names`, or UNLABELLED.
        names: Of the classes; none where no image has a label.
        images: Bytes, shape (n, height, width, channels): the thumbnails.

    Returns:
        The configuration's path.

    Raises:
        UserError: The lengths differ.
    """
    from google.protobuf import text_format
    from PIL import Image
    from tensorboard.plugins.projector import ProjectorConfig

    if not len(features) == len(labels) == len(images):
        raise UserError(
            f"features, labels and images must be equally many; got {len(features)}, {len(labels)} and {len(images)}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    features, labels, images = features[:SHOWN], labels[:SHOWN], images[:SHOWN]
    write_text(folder / "features.tsv", "".join("\t".join(f"{x:.6g}" for x in row) + "\n" for row in features))
    words = [printable(names[label]) if label != UNLABELLED else "unlabelled" for label in labels]
    words = words if len(names) else ["image"] * len(labels)
    write_text(folder / "classes.tsv", "".join(f"{word}\n" for word in words))
    with replacing(folder / "thumbnails.png") as temporary:
        Image.fromarray(sprite(images)).save(temporary)
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name, embedding.tensor_path = "features", "features.tsv"
    embedding.metadata_path = "classes.tsv"
    embedding.sprite.image_path = "thumbnails.png"
    embedding.sprite.single_image_dim.extend(_thumbnail(images).shape[2:0:-1])  # width, height
    path = folder / "projector_config.pbtxt"
    write_text(path, text_format.MessageToString(config))
    return path


def sprite(images: np.ndarray) -> np.ndarray:
    """Return all images as one square of squares, row by row, uint8 RGB."""
    small = _thumbnail(images)
    side, (height, width) = int(np.ceil(np.sqrt(len(small)))), small.shape[1:3]
    sheet = np.zeros((side * side, height, width, 3), np.uint8)
    sheet[: len(small)] = small if small.shape[-1] == 3 else np.repeat(small, 3, axis=-1)
    return sheet.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)


def _thumbnail(images: np.ndarray) -> np.ndarray:
    """Return every k-th pixel, so that the square of all images is small enough."""
    step = -(-int(np.ceil(np.sqrt(len(images)))) * max(images.shape[1:3]) // SPRITE_SIDE)
    return images[:, :: max(1, step), :: max(1, step)]
