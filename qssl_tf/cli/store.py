"""`qssl store`: images on disk, made ahead of a run, looked at, or read whole and compared with their checksums."""

from pathlib import Path

from qssl_tf.cli.flags import Parser, add_config_flags, given_settings
from qssl_tf.config import Config
from qssl_tf.errors import UserError, counted

SETTINGS = ("dataset", "data_dir", "skip_broken_images", "image_size", "store_dir")


def parser() -> Parser:
    """Return the command line."""
    flags = Parser(description="Make a store of images on disk ahead of a run, or look at one.")
    flags.add_argument(
        "folder", nargs="?", type=Path, metavar="STORE", help="a store to look at, in place of making one"
    )
    flags.add_argument("--verify", action="store_true", help="read the store whole and compare it with its checksums")
    add_config_flags(flags, only=SETTINGS)
    return flags


def main() -> None:
    """Make a store, or show one."""
    arguments = parser().parse_args()
    given = given_settings(arguments)
    if arguments.folder and given:
        raise UserError(f"--{next(iter(given)).replace('_', '-')} belongs to a new store; leave it out beside STORE.")
    if not arguments.folder and "dataset" not in given:
        raise UserError("STORE must be named to look at one, or --dataset (and --data-dir) to make one.")
    folder = arguments.folder or make(Config(store="disk", **given))
    show(folder)
    if arguments.verify:
        verify(folder)


def make(config: Config) -> Path:
    """Make the store of a data set, or go on with it, and return where it lies."""
    from qssl_tf.data.sources import read_images
    from qssl_tf.data.store.images import StoredImages

    images = read_images(config).train.images
    assert isinstance(images, StoredImages)
    return images.store.folder


def show(folder: Path) -> None:
    """Print what a store holds."""
    from qssl_tf.data.store.reading import open_store

    store = open_store(folder, looks=False)  # damage is looked for by --verify, which names all of it
    shape, shards = " x ".join(map(str, store.image_shape)), store.manifest["shards"]
    gigabytes = sum(entry["bytes"] for entry in shards) / 1e9
    print(
        f"{folder}: {counted(len(store), 'image')} of {store.manifest['name']}, {shape}, {store.jpegs} of them JPEGs; "
        f"{gigabytes:.3g} GB in {counted(len(shards), 'file')}"
    )


def verify(folder: Path) -> None:
    """Compare a store with its checksums.

    Raises:
        UserError: A file is another than the one that was made; it names each.
    """
    from qssl_tf.data.bar import bar
    from qssl_tf.data.store.manifest import read_manifest
    from qssl_tf.data.store.reading import damaged_shards

    manifest = read_manifest(folder)
    assert manifest is not None  # it was shown
    with bar(len(manifest["shards"]), folder.name, "file") as advance:
        wrong = damaged_shards(folder, manifest, advance)
    if wrong:
        raise UserError(f"{'; '.join(wrong)}. Remove what is damaged and make the store again: that alone is remade.")
    print("every file is the one that was made")
