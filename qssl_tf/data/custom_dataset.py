"""User-defined data sets, registered as values of the setting `dataset`."""

from collections.abc import Callable

from qssl_tf.arguments import checks_arguments
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import SOURCES
from qssl_tf.errors import UserError
from qssl_tf.registry import claim, own_code


@checks_arguments
def register_dataset(name: str) -> Callable[[Callable[[], ImageData]], Callable[[], ImageData]]:
    """Register a function without arguments that returns `ImageData` as a data set for every command.

    ```python
    @register_dataset("cells")
    def cells():
        return ImageData.from_arrays(np.load("cells.npy"), np.load("labels.npy"))
    ```

    Args:
        name: The new name: lowercase letters, digits and underscores.

    Returns:
        A decorator that returns the function unchanged; it is called when a run needs the images.

    Raises:
        UserError: The name is taken.
    """

    def register(loader: Callable[[], ImageData]) -> Callable[[], ImageData]:
        claim("dataset", name, SOURCES)
        SOURCES[name] = lambda config: _load(name, loader)
        return loader

    return register


def _load(name: str, loader: Callable[[], ImageData]) -> ImageData:
    with own_code(f"the function of `dataset` '{name}'"):
        data = loader()
    if not isinstance(data, ImageData):
        raise UserError(
            f"`dataset` '{name}' must return qssl_tf.ImageData, as ImageData.from_arrays does; "
            f"got a {type(data).__name__}."
        )
    return data
