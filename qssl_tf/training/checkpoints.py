"""Weights for probing and the whole state for an exact resume; both carry the settings they were made with."""

import hashlib
import json
import os
import time
from pathlib import Path

import h5py
import numpy as np

from qssl_tf.commands import argument, resumption
from qssl_tf.errors import UserError, pass_on_interrupt, reason
from qssl_tf.files.read import check_regular, copy_file, open_handle, parse_json, read_arrays
from qssl_tf.files.write import npz, replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.history import history_checksum
from qssl_tf.training.provenance import check_own_parts
from qssl_tf.training.runs import Run, check_same_config

NOT_FINITE = "it holds numbers that are not finite"
CONFIG_KEY, CHECKSUM_KEY = "qssl_tf_config", "qssl_tf_sha256"


def smaller_steps() -> str:
    """Return what helps where weights leave the range of numbers."""
    return f"lower {argument('learning_rate')} or {argument('weight_decay')}, or raise {argument('temperature')}"


def check_finite(run: Run, model: SimCLR, step: int) -> None:
    """Refuse to keep weights or an optimizer's state that hold NaN or infinity: no step after them would be better.

    Raises:
        UserError: It names the first such variable and the last step whose weights are kept.
    """
    for variable in (*model.variables, *model.optimizer.variables):
        if not _is_finite(variable.numpy()):
            kept = max(run.checkpoint_steps(), default=None)
            last = "no weights were kept" if kept is None else f"the last kept weights are of step {kept}"
            raise UserError(f"`{variable.path}` is not finite after step {step}; {last}; {smaller_steps()}.")


def _is_finite(array: np.ndarray) -> bool:
    return np.asarray(array).dtype.kind != "f" or bool(np.isfinite(array).all())


def save_weights(run: Run, model: SimCLR, step: int) -> None:
    """Keep the model's weights after `step` steps, with their checksum."""
    with replacing(run.checkpoint(step)) as temporary:
        model.uncompiled().save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs[CONFIG_KEY] = json.dumps(run.config.to_dict())
            file.attrs[CHECKSUM_KEY] = _checksum(file)


def load_weights(run: Run, model: SimCLR, step: int) -> None:
    """Load the weights kept after `step` steps.

    Raises:
        UserError: The file is damaged, or was written with other settings.
    """
    check_own_parts(run, model)
    path = run.checkpoint(step)
    try:
        stored = check_weights(path, sum(weight.value.numpy().nbytes for weight in model.weights))
        if stored is not None:
            check_same_config(path, stored, run.config)
        model.uncompiled().load_weights(path)
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise anything from h5py
        before = max((other for other in run.checkpoint_steps() if other < step), default=None)
        other = "train again" if before is None else f"the one before it is {argument('checkpoint', before)}"
        raise UserError(f"{path} is damaged ({reason(error)}); {other}.") from None


def check_weights(path: Path, expected: int | None = None) -> str | None:
    """Read a file of weights and return the settings it was written with, as JSON; None in files of others.

    Args:
        path: The file.
        expected: Bytes that the weights take; None takes those of the file.

    Raises:
        OSError, ValueError: It is damaged, points elsewhere, holds NaN or infinity, or its arrays take far more bytes.
    """
    check_regular(path)
    with h5py.File(path) as file:
        _check_contents(file, path.stat().st_size if expected is None else expected)
        if CHECKSUM_KEY in file.attrs and file.attrs[CHECKSUM_KEY] != _checksum(file):
            raise ValueError("its checksum does not fit")
        file.visititems(_refuse_not_finite)
        return file.attrs.get(CONFIG_KEY)


def _check_contents(file: h5py.File, expected: int) -> None:
    """Refuse a file of weights that points to other files, or whose arrays take far more than the `expected` bytes.

    Raises:
        ValueError: It does.
    """
    arrays = []

    def look(name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink) -> str | None:
        item = file[name] if isinstance(link, h5py.HardLink) else None
        if item is None or isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            return name  # ends the visit
        if isinstance(item, h5py.Dataset):
            arrays.append(item.size * item.dtype.itemsize)
        return None

    elsewhere = file.visititems_links(look)
    if elsewhere is not None:
        raise ValueError(f"its part {elsewhere[:80]!r} is elsewhere")
    if sum(arrays) > 2 * expected + (1 << 20):
        raise ValueError(f"its arrays take {sum(arrays)} bytes, those of the model {expected}")


def _refuse_not_finite(name: str, item: h5py.Dataset | h5py.Group) -> None:
    if isinstance(item, h5py.Dataset) and not _is_finite(item[()]):
        raise ValueError(NOT_FINITE)


def _checksum(file: h5py.File) -> str:
    """Return the SHA-256 of every array and its name, and of the settings."""
    digest = hashlib.sha256(str(file.attrs[CONFIG_KEY]).encode())

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.dtype} {item.shape}".encode())
            digest.update(np.ascontiguousarray(item[()]).tobytes())

    file.visititems(add)  # in the order of names
    return digest.hexdigest()


def save_state(run: Run, model: SimCLR, step: int) -> None:
    """Keep everything that the next step depends on: weights, batch statistics, optimizer, step.

    The state before it is kept as well, and the checksum of the table of steps up to this one.
    """
    variables = [*model.variables, *model.optimizer.variables]
    arrays = {f"{index:04d}": variable.numpy() for index, variable in enumerate(variables)}
    record = {"step": step, "config": run.config.to_dict(), "history": history_checksum(run.history, step)}
    content = npz({"record": np.array(json.dumps(record)), **arrays})
    if run.history.exists():
        with open(open_handle(run.history, os.O_RDONLY), "rb") as table:
            os.fsync(table.fileno())  # the state vouches for it: it must not outlive it in a power failure
    with replacing(run.state) as temporary:
        temporary.write_bytes(content)
        if run.state.exists():
            with replacing(run.previous_state) as twin:
                _same_file(run.state, twin)


def _same_file(path: Path, twin: Path) -> None:
    """Give a file a second name, or copy it where the file system knows one name only."""
    try:
        os.link(path, twin)
    except OSError:
        copy_file(path, twin)


def restore_state(run: Run, model: SimCLR) -> int:
    """Load what `save_state` kept.

    Returns:
        The number of steps already done.

    Raises:
        UserError: The state is missing, it or the table of steps is damaged, or it was written with other settings.
    """
    if not run.state.is_file():
        if not any(run.checkpoint_steps()):
            return 0  # stopped before its first step was kept
        raise UserError(f"{run.folder} holds no state to resume from; start anew with another {argument('name')}.")
    check_own_parts(run, model)
    try:
        record, arrays = read_state(run.state)
        check_same_config(run.state, json.dumps(record["config"]), run.config)
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        if len(variables) != len(arrays):
            raise ValueError(f"{len(arrays)} arrays for {len(variables)} variables")
        step = int(record["step"])
        for variable, name in zip(variables, sorted(arrays), strict=True):
            variable.assign(arrays[name])
    except UserError:
        raise
    except Exception as error:  # a damaged zip can raise anything from zlib to struct errors
        raise UserError(f"{run.state} is damaged ({reason(error)}); {_way_back(run)}.") from None
    if "history" in record and record["history"] != history_checksum(run.history, step):
        raise UserError(f"{run.history} is not as training left it up to step {step}; restore it, or train again.")
    return step


def go_back(run: Run) -> Path:
    """Let the state before the last take its place; the last one is kept under another name.

    Returns:
        Where the last state is now.

    Raises:
        UserError: There is no state before the last, or it is damaged as well.
    """
    if not run.previous_state.is_file():
        raise UserError(f"{run.folder} keeps no state before the last; start anew with another {argument('name')}.")
    try:
        read_state(run.previous_state)
    except Exception as error:
        raise UserError(
            f"{run.previous_state} is damaged ({reason(error)}) as well; start anew with another {argument('name')}."
        ) from None
    stem = f"set-aside-{time.strftime('%Y%m%d-%H%M%S')}"
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]  # a clock may tell the same time twice
    aside = next(path for name in names if not (path := run.state.with_name(f"{name}.npz")).exists())
    if run.state.exists():
        _same_file(run.state, aside)
    os.replace(run.previous_state, run.state)
    return aside


def read_state(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return record and arrays; each is checked against the CRC that zip files hold.

    Raises:
        OSError, ValueError, KeyError: It is missing, damaged, or holds numbers that are not finite.
    """
    arrays = read_arrays(path)
    record = parse_json(str(arrays.pop("record")))
    if not all(map(_is_finite, arrays.values())):
        raise ValueError(NOT_FINITE)
    return record, arrays


def _way_back(run: Run) -> str:
    try:
        step = read_state(run.previous_state)[0]["step"]
    except Exception as error:  # missing or damaged as well
        pass_on_interrupt(error)
        return "train again"
    return f"the state before it is of step {step}: {resumption(run.folder, previous_state=True)} goes on from there"
