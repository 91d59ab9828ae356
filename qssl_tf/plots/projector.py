"""Files of TensorBoard's embedding projector: features, classes and thumbnails, to explore interactively."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qssl_tf.data.splits import UNLABELLED
from qssl_tf.data.store.images import Images
from qssl_tf.errors import UserError
from qssl_tf.files.write import replacing, write_text
from qssl_tf.markup import printable

MAX_ROWS = 5000  # browsers refuse the picture of more thumbnails
SPRITE_SIDE = 8192  # pixels; the projector accepts no larger picture


def write_projector(
    folder: Path, features: np.ndarray, labels: np.ndarray, names: Sequence[str], images: Images
) -> Path:
    """Write what `tensorboard --logdir FOLDER` shows under Projector.

    Args:
        folder: TensorBoard's folder, for `projector_config.pbtxt` and the three files that it names.
        features: Shape (n, features).
        labels: Shape (n,): indices into `names`, or UNLABELLED.
        names: Of the classes; empty if no image has a label.
        images: Bytes, shape (n, height, width, channels): the thumbnails.

    Returns:
        The path of `projector_config.pbtxt`.

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
    features, labels, images = features[:MAX_ROWS], labels[:MAX_ROWS], images[:MAX_ROWS]
    write_text(folder / "features.tsv", "".join("\t".join(f"{x:.6g}" for x in row) + "\n" for row in features))
    classes = [printable(names[label]) if label != UNLABELLED else "unlabelled" for label in labels]
    classes = classes if len(names) else ["image"] * len(labels)
    write_text(folder / "classes.tsv", "".join(f"{name}\n" for name in classes))
    with replacing(folder / "thumbnails.png") as temporary:
        Image.fromarray(sprite(images)).save(temporary)
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name, embedding.tensor_path = "features", "features.tsv"
    embedding.metadata_path = "classes.tsv"
    embedding.sprite.image_path = "thumbnails.png"
    embedding.sprite.single_image_dim.extend(_thumbnails(images[:1], len(images)).shape[2:0:-1])  # width, height
    path = folder / "projector_config.pbtxt"
    write_text(path, text_format.MessageToString(config))
    return path


def sprite(images: Images) -> np.ndarray:
    """Return all images as thumbnails in one square picture, row by row, uint8 RGB."""
    thumbnails = _thumbnails(images, len(images))
    side, (height, width) = int(np.ceil(np.sqrt(len(thumbnails)))), thumbnails.shape[1:3]
    sheet = np.zeros((side * side, height, width, 3), np.uint8)
    sheet[: len(thumbnails)] = thumbnails if thumbnails.shape[-1] == 3 else np.repeat(thumbnails, 3, axis=-1)
    return sheet.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)


def _thumbnails(images: Images, count: int) -> np.ndarray:
    """Return every k-th pixel of each image, so that the picture of `count` is at most SPRITE_SIDE wide."""
    step = max(1, -(-int(np.ceil(np.sqrt(count))) * max(images.shape[1:3]) // SPRITE_SIDE))
    parts = (images,) if isinstance(images, np.ndarray) else images.chunks()
    return np.concatenate([part[:, ::step, ::step] for part in parts])
