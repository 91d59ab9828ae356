"""Images as the network takes them: squares of one size. What is not square is cropped to its middle, not stretched."""

from typing import Any

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.errors import UserError


def squared(images: np.ndarray, side: int | None, name: str) -> np.ndarray:
    """Return images of `side` x `side` pixels, or as they are where it is None.

    Args:
        images: Bytes, shape (n, height, width, channels); of those that are not square the middle is kept.
        side: In pixels.
        name: Of the data set.

    Raises:
        UserError: They are not square, and no side is given.
    """
    height, width = images.shape[1:3]
    if side is None and height != width:
        raise UserError(
            f"images of {name} must be square; they have {height} x {width} pixels: say with "
            f"{argument('image_size')} to which side to resize their middle squares."
        )
    if side is None:
        return images
    return resized(middle_square(images, height, width, min(height, width)), side)


def middle_square(images: Any, height: Any, width: Any, side: Any) -> Any:
    """Return the square in the middle of images, arrays or tensors of shape (..., height, width, channels).

    Args:
        images: One or several.
        height: In pixels.
        width: In pixels.
        side: The smaller of both.
    """
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side, :]


def say_cropped(cropped: int, count: int, name: str) -> None:
    """Say in one line how many images were not square."""
    if cropped:
        print(f"{name}: {cropped} of {count} images are not square; the square in their middle is taken", flush=True)


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """Return square `images` resized to `side` x `side` pixels (bilinear, antialiased), as unsigned bytes."""
    if images.shape[1:3] == (side, side):
        return images
    import tensorflow as tf

    chunks = [
        tf.cast(tf.round(tf.image.resize(images[start : start + 1024], (side, side), antialias=True)), tf.uint8).numpy()
        for start in range(0, len(images), 1024)
    ]
    return np.concatenate(chunks) if chunks else np.zeros((0, side, side, images.shape[3]), np.uint8)
