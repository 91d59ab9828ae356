"""Square images of one size: images that are not square are cropped to their centre, not stretched."""

from typing import Any

import numpy as np

from qssl_tf.commands import argument
from qssl_tf.data.store.images import Images, StoredImages
from qssl_tf.errors import UserError


def resize_to_square(images: Images, side: int | None, name: str) -> Images:
    """Return images of `side` x `side` pixels; None keeps square images as they are.

    Those of a store are resized when it is made, so that each is resized once.

    Args:
        images: uint8, shape (n, height, width, channels); if not square, their centre is used.
        side: In pixels.
        name: Name of the data set.

    Raises:
        UserError: They are not square, and no side is given; or images of a store have another side.
    """
    height, width = images.shape[1:3]
    if isinstance(images, StoredImages):
        if height == width == (side or height):
            return images
        wanted = "square" if side is None else f"{side} x {side} pixels"
        raise UserError(
            f"stored images of {name} must be {wanted} here; they have {height} x {width} pixels: make a store with "
            f"that {argument('image_size')}, as their size is fixed when it is made."
        )
    if side is None and height != width:
        raise not_square(name, height, width)
    if side is None:
        return images
    return resize(center_crop(images, height, width, min(height, width)), side)


def not_square(name: str, height: int, width: int) -> UserError:
    """Return the error for images that are not square where no side is given."""
    return UserError(
        f"images of {name} must be square; they have {height} x {width} pixels: say with {argument('image_size')} to "
        "which side to resize their middle squares."
    )


def center_crop(images: Any, height: Any, width: Any, side: Any) -> Any:
    """Return the central square of images, arrays or tensors of shape (..., height, width, channels).

    Args:
        images: One image or several.
        height: In pixels.
        width: In pixels.
        side: Side of the square in pixels, at most height and width.
    """
    top, left = (height - side) // 2, (width - side) // 2
    return images[..., top : top + side, left : left + side, :]


def report_crops(cropped: int, count: int, name: str) -> None:
    """Print how many images were not square, if any."""
    if cropped:
        print(f"{name}: {cropped} of {count} images are not square; the square in their middle is taken", flush=True)


def resize(images: np.ndarray, side: int) -> np.ndarray:
    """Return square `images` resized to `side` x `side` pixels (bilinear, antialiased), as uint8."""
    if images.shape[1:3] == (side, side):
        return images
    import tensorflow as tf

    chunks = [
        tf.cast(tf.round(tf.image.resize(images[start : start + 1024], (side, side), antialias=True)), tf.uint8).numpy()
        for start in range(0, len(images), 1024)
    ]
    return np.concatenate(chunks) if chunks else np.zeros((0, side, side, images.shape[3]), np.uint8)
