"""Images on disk beside the same in memory: start, images a second, peak memory; and the formats that were compared.

    python benchmarks/store.py --folder ROOM --gigabytes 40

makes photographs, 400 distinct ones under many names, and their store, measures, and writes
`benchmarks/results/store.json`. `ROOM/store-benchmark` is removed at the end. The large store is made with each
distinct photograph decoded once; `making` is measured with every one decoded.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timing import machine

WORKER = Path(__file__).parent / "workers" / "store_run.py"
RESULTS = Path(__file__).parent / "results" / "store.json"
DISTINCT, CLASSES, SIDE = 400, 10, 384
SUBSET, ROUNDS, BATCH = 500, 7, 4
ENCODERS = ("resnet18",)
# Batches in front of those that are timed, which may have been made while the other ran; and those that are.
TURNS = {"": (5, 6), "resnet18": (2, 1)}


def photograph(number: int) -> bytes:
    """Return a made-up photograph as JPEG: waves whose strength falls with their frequency, and grain."""
    rng = np.random.default_rng(number)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    frequency[0, 0] = 1
    real, imaginary = rng.normal(size=(2, 3, *frequency.shape)) / frequency**1.4
    waves = np.fft.irfft2(real + 1j * imaginary, s=(SIDE, SIDE)).transpose(1, 2, 0)
    pixels = 128 + 45 * (waves - waves.mean()) / waves.std() + rng.normal(0, 14, waves.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def make_photographs(folder: Path, gigabytes: float) -> dict[str, Any]:
    """Write distinct photographs, and link them until all names together have so many bytes."""
    distinct = [folder / "distinct" / f"{number:04d}.jpg" for number in range(DISTINCT)]
    (folder / "distinct").mkdir(parents=True)
    for number, path in enumerate(distinct):
        path.write_bytes(photograph(number))
    size = statistics.mean(path.stat().st_size for path in distinct)
    count = max(SUBSET, int(gigabytes * 1e9 / size))
    for name in range(CLASSES):
        (folder / "photos" / f"class-{name}").mkdir(parents=True)
    for number in range(count):
        os.link(distinct[number % DISTINCT], folder / "photos" / f"class-{number % CLASSES}" / f"{number:07d}.jpg")
    return {"images": count, "jpeg_kb": round(size / 1e3, 1), "side": SIDE}


def make_large_store(folder: Path) -> dict[str, Any]:
    """Make the store of all photographs, decoding each distinct one once."""
    from qssl_tf.config import Config
    from qssl_tf.data.listing import list_folder
    from qssl_tf.data.placement import store_folder
    from qssl_tf.data.store import shard, writing
    from qssl_tf.data.store.folder_source import folder_source
    from qssl_tf.data.store.source import Item

    listing = list_folder(folder / "photos")
    files = [entry for part in listing.parts.values() for entry in part]
    jpegs = [(folder / "distinct" / f"{number:04d}.jpg").read_bytes() for number in range(DISTINCT)]
    pixels = [np.asarray(Image.open(io.BytesIO(jpeg))) for jpeg in jpegs]
    encode, known = shard.encode, {}

    def encode_once(item: Item, dct_method: str) -> Any:
        key = id(item.encoded)
        if key not in known:
            known[key] = encode(item, dct_method)
        return replace(known[key], item=item)

    def items(start: int, stop: int | None) -> Iterator[Callable[[], Item]]:
        for place in range(start, len(files) if stop is None else stop):
            path, label = files[place]
            number = int(Path(path).stem) % DISTINCT
            yield partial(Item, place, 0, label, pixels[number], jpegs[number])

    shard.encode = encode_once
    source = replace(folder_source(listing, None, False), items=items)
    began = time.perf_counter()
    place = store_folder(Config(store_dir=str(folder / "stores")), source.name, source.identity)
    store = writing.make(place, source)
    size = sum(path.stat().st_size for path in store.folder.iterdir())
    return {"seconds": time.perf_counter() - began, "store_gb": size / 1e9, "shards": len(store.manifest["shards"])}


def second_run(folder: Path, steps: int) -> dict[str, Any]:
    """Train from the store in a process of its own, with nothing of it in the page cache, for some steps."""
    dropped = drop_caches()
    command = [sys.executable, str(WORKER), str(folder), str(steps)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if "first_step_s" not in done.stdout:
        raise RuntimeError(done.stderr[-2000:])
    return {"cold": dropped, "load_1_min": os.getloadavg()[0]} | json.loads(done.stdout.splitlines()[-1])


def drop_caches() -> bool:
    """Empty the system's cache of files, if this user may; return whether it was done."""
    try:
        subprocess.run("sync; echo 3 > /proc/sys/vm/drop_caches", shell=True, check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return False
    return True


def making(folder: Path) -> dict[str, Any]:
    """Make a store with every photograph decoded."""
    import qssl_tf as q

    small = folder / "some"
    for name in range(2):
        (small / f"class-{name}").mkdir(parents=True)
    for number in range(DISTINCT):
        shutil.copy(folder / "distinct" / f"{number:04d}.jpg", small / f"class-{number % 2}")
    began = time.perf_counter()
    q.make_store(small, folder / "made")
    seconds = time.perf_counter() - began
    return {"images_per_s": DISTINCT / seconds, "load_1_min": os.getloadavg()[0]}


def subset(folder: Path) -> tuple[Any, np.ndarray]:
    """Return images of the large store, spread over all of it, and the same in memory."""
    from qssl_tf.data.store.reading import open_store

    (place,) = (path for path in (folder / "stores").iterdir() if path.is_dir())
    images, _ = open_store(place).images("images")
    images = images[np.linspace(0, len(images) - 1, SUBSET).astype(np.int64)]
    return images, np.asarray(images)


def _first_number(pair: Any) -> Any:
    """Wait for a pair of views."""
    return pair[0][0, 0, 0, 0].numpy()


def _loss_of(train: Callable[[Any], Any], pair: Any) -> Any:
    """Take a training step and wait for it."""
    return train(pair)["loss"].numpy()


def throughput(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the seconds a batch from memory and from the store, in turn: the views alone, and whole steps."""
    import tensorflow as tf

    from qssl_tf.config import Config
    from qssl_tf.data.augment import augmentation
    from qssl_tf.data.pipeline import view_pairs
    from qssl_tf.models.build import build_simclr

    sources = dict(zip(("store", "memory"), subset(folder), strict=True))
    shape = (SIDE, SIDE, 3)
    for encoder in ("", *ENCODERS):
        config = Config(encoder=encoder or "small_cnn", head="classical", batch_size=BATCH)
        augment = augmentation(config, shape)
        batches = {name: iter(view_pairs(images, augment, BATCH, 0, None)) for name, images in sources.items()}
        step: Callable[[Any], Any] = _first_number
        if encoder:
            model = build_simclr(config, shape, augment)
            step = partial(_loss_of, tf.function(model.train_step, autograph=False))
        seconds: dict[str, list[float]] = {name: [] for name in sources}
        for turn in range(ROUNDS + 1):
            for name, pairs in batches.items():
                for _ in range(TURNS[encoder][0]):
                    step(next(pairs))
                began = time.perf_counter()
                for _ in range(TURNS[encoder][1]):
                    step(next(pairs))
                if turn:  # the first compiles
                    seconds[name].append((time.perf_counter() - began) / TURNS[encoder][1])
        found = {f"{name}_s": statistics.median(times) for name, times in seconds.items()}
        ratio = found["memory_s"] / found["store_s"]
        what = f"a step of {encoder}" if encoder else "views alone"
        yield {"what": what, "batch": BATCH, **found, "ratio": ratio, "load_1_min": os.getloadavg()[0]}


def formats(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the milliseconds in which rows of each format are read at random from the page cache, without decoding."""
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    images, pixels = subset(folder)
    array = np.lib.format.open_memmap(folder / "pixels.npy", "w+", np.uint8, pixels.shape)
    array[:] = pixels
    array.flush()
    store, rng = images.store, np.random.default_rng(0)
    paths = [str(store.folder / entry["file"]) for entry in store.manifest["shards"]]
    counts = [entry["images"] for entry in store.manifest["shards"]]
    source = ArrayRecordDataSource([f"{path}[0:{count}]" for path, count in zip(paths, counts, strict=True)])
    mapped = np.load(folder / "pixels.npy", mmap_mode="r")
    rivals = {
        "ArrayRecord, this package": lambda rows: store.records(images.rows[rows]),
        "ArrayRecord, its data source (Grain's, TFDS's)": lambda rows: source.__getitems__(images.rows[rows].tolist()),
        "memory-mapped pixels": lambda rows: np.array(mapped[rows]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(ROUNDS + 1):
        for name, read in rivals.items():
            rows = rng.integers(0, SUBSET, 256)
            began = time.perf_counter()
            read(rows)
            seconds[name] += [time.perf_counter() - began] if turn else []
    kilobytes = {name: statistics.mean(map(len, store.records(images.rows))) / 1e3 for name in rivals}
    kilobytes["memory-mapped pixels"] = pixels[0].nbytes / 1e3
    for name, times in seconds.items():
        yield {"what": name, "read_256_ms": 1e3 * statistics.median(times), "kb_an_image": kilobytes[name]}


def main() -> None:
    """Make, measure, write, remove."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--folder", type=Path, required=True, help="where there is room for the store")
    flags.add_argument("--gigabytes", type=float, default=40.0, help="of JPEGs (default: 40)")
    flags.add_argument("--steps", type=int, default=30, help="of the second run (default: 30)")
    flags.add_argument("--results", type=Path, default=RESULTS)
    flags.add_argument("--only", nargs="+", default=["large", "making", "throughput", "formats"], help="parts")
    flags.add_argument("--keep", action="store_true", help="leave the folder, and take what is there")
    arguments = flags.parse_args()
    folder = arguments.folder / "store-benchmark"
    found: dict[str, Any] = json.loads(arguments.results.read_text()) if arguments.results.is_file() else {}
    found["machine"] = machine()
    try:
        if not folder.exists():
            found["photographs"] = make_photographs(folder, arguments.gigabytes)
            print(found["photographs"], flush=True)
            found["large_store"] = make_large_store(folder)
            print(found["large_store"], flush=True)
        parts: dict[str, Callable[[], Any]] = {
            "large": lambda: second_run(folder, arguments.steps),
            "making": lambda: making(folder),
            "throughput": lambda: list(throughput(folder)),
            "formats": lambda: list(formats(folder)),
        }
        for name in arguments.only:
            found[name] = parts[name]()
            print(name, json.dumps(found[name]), flush=True)
            arguments.results.write_text(json.dumps(found, indent=1) + "\n")
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
