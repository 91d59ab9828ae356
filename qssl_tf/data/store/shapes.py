"""The one shape that all images of a store have: that of the first."""

from typing import Any

from qssl_tf.commands import argument
from qssl_tf.data.resizing import not_square
from qssl_tf.data.store.manifest import MAX_SIDE
from qssl_tf.data.store.source import Item
from qssl_tf.errors import UserError


def check_shape(manifest: dict[str, Any], item: Item) -> None:
    """Note the shape of the first image in a manifest, and refuse an image of another.

    Raises:
        UserError: It says which; or images are not square, or too large.
    """
    if item.pixels is None:
        return
    shape = list(item.pixels.shape)
    if shape[0] != shape[1]:
        raise not_square(manifest["name"], *shape[:2])
    if shape[0] > MAX_SIDE:
        raise UserError(
            f"images of {manifest['name']} must have at most {MAX_SIDE} pixels a side; they have {shape[0]}: say with "
            f"{argument('image_size')} to which side to resize them."
        )
    manifest["image_shape"] = manifest["image_shape"] or shape
    if shape != manifest["image_shape"]:
        raise _other_shape(manifest, item.place, shape)


def _other_shape(manifest: dict[str, Any], place: int, shape: list[int]) -> UserError:
    first = " x ".join(map(str, manifest["image_shape"]))
    return UserError(
        f"images of {manifest['name']} must have one size and one number of channels; image {place} is of "
        f"{' x '.join(map(str, shape))} and those before it of {first}: mend it and make the store again, which goes "
        "on there."
    )
