"""Checkpoints of weights for probing, and the full state for exact resumption; both contain the settings."""

import hashlib
import json
import os
import time
from pathlib import Path

import h5py
import keras
import numpy as np

from qssl_tf.commands import argument, resumption
from qssl_tf.errors import UserError, pass_on_interrupt, reason
from qssl_tf.files.read import check_regular, copy_file, open_handle, parse_json, read_arrays
from qssl_tf.files.write import npz, replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.history import history_checksum
from qssl_tf.training.provenance import check_custom_objective, check_custom_parts, check_twin
from qssl_tf.training.runs import Run, check_same_config

NOT_FINITE = "it holds numbers that are not finite"
CONFIG_KEY, CHECKSUM_KEY = "qssl_tf_config", "qssl_tf_sha256"


def smaller_steps(model: SimCLR) -> str:
    """Return what helps where weights leave the range of numbers; a temperature only where the loss has one."""
    lower = f"lower {argument('learning_rate')} or {argument('weight_decay')}"
    return f"{lower}, or raise {argument('temperature')}" if hasattr(model.loss, "temperature") else lower


def state_variables(model: SimCLR) -> list[keras.Variable]:
    """Return everything that the next step depends on, in the order in which states keep it."""
    seeds = getattr(model.loss, "seeds", None)  # of a loss that is estimated from shots
    further = [] if seeds is None else [seeds.state]
    judges = [] if model.online_probe is None else model.online_probe.variables
    return [*model.variables, *model.optimizer.variables, *further, *judges]


def check_finite(run: Run, model: SimCLR, step: int) -> None:
    """Refuse to save weights or optimizer state with NaN or infinity, from which training cannot recover.

    Raises:
        UserError: With the first such variable and the last saved step.
    """
    for variable in state_variables(model):
        if not _is_finite(variable.numpy()):
            last_step = max(run.checkpoint_steps(), default=None)
            where = "no weights were kept" if last_step is None else f"the last kept weights are of step {last_step}"
            raise UserError(f"`{variable.path}` is not finite after step {step}; {where}; {smaller_steps(model)}.")


def _is_finite(array: np.ndarray) -> bool:
    return np.asarray(array).dtype.kind != "f" or bool(np.isfinite(array).all())


def save_weights(run: Run, model: SimCLR, step: int) -> None:
    """Save the model's weights after `step` steps, with a checksum."""
    with replacing(run.checkpoint(step)) as temporary:
        model.uncompiled().save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs[CONFIG_KEY] = json.dumps(run.config.to_dict())
            file.attrs[CHECKSUM_KEY] = _checksum(file)


def load_weights(run: Run, model: SimCLR, step: int) -> None:
    """Load the weights saved after `step` steps.

    Raises:
        UserError: The file is damaged, or was written with other settings.
    """
    check_custom_parts(run, model)
    check_twin(run, model)
    path = run.checkpoint(step)
    try:
        config_json = check_weights(path, sum(weight.value.numpy().nbytes for weight in model.weights))
        if config_json is not None:
            check_same_config(path, config_json, run.config)
        model.uncompiled().load_weights(path)
    except UserError:
        raise
    except Exception as error:  # h5py may raise anything for a damaged file
        earlier = max((kept_step for kept_step in run.checkpoint_steps() if kept_step < step), default=None)
        remedy = "train again" if earlier is None else f"the one before it is {argument('checkpoint', earlier)}"
        raise UserError(f"{path} is damaged ({reason(error)}); {remedy}.") from None


def check_weights(path: Path, expected_bytes: int | None = None) -> str | None:
    """Check a file of weights and return its settings as JSON, or None if it was not written by this package.

    Args:
        path: The file.
        expected_bytes: Size of the weights in bytes; None uses the size of the file.

    Raises:
        OSError, ValueError: It is damaged, refers to other files, contains NaN or infinity, or is far larger.
    """
    check_regular(path)
    with h5py.File(path) as file:
        _check_contents(file, path.stat().st_size if expected_bytes is None else expected_bytes)
        if CHECKSUM_KEY in file.attrs and file.attrs[CHECKSUM_KEY] != _checksum(file):
            raise ValueError("its checksum does not fit")
        file.visititems(_refuse_not_finite)
        return file.attrs.get(CONFIG_KEY)


def _check_contents(file: h5py.File, expected_bytes: int) -> None:
    """Refuse a file of weights that refers to other files, or whose arrays are far larger than `expected_bytes`.

    Raises:
        ValueError: The file is refused.
    """
    arrays = []

    def visit(name: str, link: h5py.HardLink | h5py.SoftLink | h5py.ExternalLink) -> str | None:
        item = file[name] if isinstance(link, h5py.HardLink) else None
        if item is None or isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            return name  # a return value ends the visit
        if isinstance(item, h5py.Dataset):
            arrays.append(item.size * item.dtype.itemsize)
        return None

    external_part = file.visititems_links(visit)
    if external_part is not None:
        raise ValueError(f"its part {external_part[:80]!r} is elsewhere")
    if sum(arrays) > 2 * expected_bytes + (1 << 20):
        raise ValueError(f"its arrays take {sum(arrays)} bytes, those of the model {expected_bytes}")


def _refuse_not_finite(name: str, item: h5py.Dataset | h5py.Group) -> None:
    if isinstance(item, h5py.Dataset) and not _is_finite(item[()]):
        raise ValueError(NOT_FINITE)


def _checksum(file: h5py.File) -> str:
    """Return the SHA-256 of the settings and of all arrays with their names."""
    digest = hashlib.sha256(str(file.attrs[CONFIG_KEY]).encode())

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(f"{name} {item.dtype} {item.shape}".encode())
            digest.update(np.ascontiguousarray(item[()]).tobytes())

    file.visititems(add)  # sorted by name
    return digest.hexdigest()


def save_state(run: Run, model: SimCLR, step: int) -> None:
    """Save everything that the next step depends on, see `state_of`."""
    write_state(run, state_of(run, model, step))


def state_of(run: Run, model: SimCLR, step: int) -> dict[str, np.ndarray]:
    """Return copies of weights, batch statistics and optimizer, with a record of the step and the settings.

    The record contains a checksum of the history up to this step.
    """
    variables = state_variables(model)
    record = {"step": step, "config": run.config.to_dict(), "history": history_checksum(run.history, step)}
    arrays = {f"{index:04d}": variable.numpy() for index, variable in enumerate(variables)}
    return {"record": np.array(json.dumps(record)), **arrays}


def write_state(run: Run, state: dict[str, np.ndarray]) -> None:
    """Write what `state_of` returned, and keep the state before it as a backup."""
    content = npz(state)
    if run.history.exists():
        with open(open_handle(run.history, os.O_RDONLY), "rb") as table:
            os.fsync(table.fileno())  # before the state that contains its checksum, in case of a power failure
    with replacing(run.state) as temporary:
        temporary.write_bytes(content)
        if run.state.exists():
            with replacing(run.previous_state) as second_path:
                _link_or_copy(run.state, second_path)


def _link_or_copy(path: Path, second_path: Path) -> None:
    """Hard-link a file, or copy it if the file system has no hard links."""
    try:
        os.link(path, second_path)
    except OSError:
        copy_file(path, second_path)


def restore_state(run: Run, model: SimCLR) -> int:
    """Load the state that `save_state` saved.

    Returns:
        The number of steps already taken.

    Raises:
        UserError: The state is missing or was written with other settings, it or the history is damaged, or a part or
            an objective of the user's own is another one.
    """
    check_custom_parts(run, model)
    check_custom_objective(run, model)
    if not run.state.is_file():
        if not any(run.checkpoint_steps()):
            return 0  # stopped before its first checkpoint
        raise UserError(f"{run.folder} holds no state to resume from; start anew with another {argument('name')}.")
    check_twin(run, model)
    try:
        record, arrays = read_state(run.state)
        check_same_config(run.state, json.dumps(record["config"]), run.config)
        if not model.optimizer.built:  # Keras's loss scaling would make its variables once more
            model.optimizer.build(model.trainable_variables)
        variables = state_variables(model)
        if len(variables) != len(arrays):
            raise ValueError(f"{len(arrays)} arrays for {len(variables)} variables")
        step = int(record["step"])
        for variable, name in zip(variables, sorted(arrays), strict=True):
            variable.assign(arrays[name])
    except UserError:
        raise
    except Exception as error:  # a damaged zip file may raise anything from zlib to struct errors
        raise UserError(f"{run.state} is damaged ({reason(error)}); {_recovery_hint(run)}.") from None
    if "history" in record and record["history"] != history_checksum(run.history, step):
        raise UserError(f"{run.history} is not as training left it up to step {step}; restore it, or train again.")
    return step


def go_back(run: Run) -> Path:
    """Replace the last state by the one before it, and rename the last one.

    Returns:
        The new path of the last state.

    Raises:
        UserError: There is no state before the last, or it is damaged, too.
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
    names = [stem, *(f"{stem}-{number}" for number in range(2, 1000))]  # two may have the same time
    backup = next(path for name in names if not (path := run.state.with_name(f"{name}.npz")).exists())
    if run.state.exists():
        _link_or_copy(run.state, backup)
    os.replace(run.previous_state, run.state)
    return backup


def read_state(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return record and arrays, which are checked against the CRCs of the zip file.

    Raises:
        OSError, ValueError, KeyError: It is missing, damaged, or contains numbers that are not finite.
    """
    arrays = read_arrays(path)
    record = parse_json(str(arrays.pop("record")))
    if not all(map(_is_finite, arrays.values())):
        raise ValueError(NOT_FINITE)
    return record, arrays


def _recovery_hint(run: Run) -> str:
    try:
        step = read_state(run.previous_state)[0]["step"]
    except Exception as error:  # missing or damaged, too
        pass_on_interrupt(error)
        return "train again"
    return f"the state before it is of step {step}: {resumption(run.folder, previous_state=True)} goes on from there"
