"""Weights for probing and the whole state for an exact resume; both carry the settings they were made with."""

import io
import json
from pathlib import Path

import h5py
import numpy as np

from qssl_tf.errors import UserError
from qssl_tf.files import replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.training.runs import Run, check_same_config

CONFIG_KEY = "qssl_tf_config"


def save_weights(run: Run, model: SimCLR, step: int) -> None:
    """Keep the model's weights after `step` steps."""
    with replacing(run.checkpoint(step)) as temporary:
        model.bare().save_weights(temporary)
        with h5py.File(temporary, "a") as file:
            file.attrs[CONFIG_KEY] = json.dumps(run.config.to_dict())


def load_weights(run: Run, model: SimCLR, step: int) -> None:
    """Load the weights kept after `step` steps.

    Raises:
        UserError: The file is damaged, or was written with other settings.
    """
    path = run.checkpoint(step)
    try:
        with h5py.File(path) as file:
            stored = file.attrs.get(CONFIG_KEY)
        if stored is not None:
            check_same_config(path, stored, run.config)
        model.bare().load_weights(path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from None


def save_state(run: Run, model: SimCLR, step: int) -> None:
    """Keep everything that the next step depends on: weights, batch statistics, optimizer, step."""
    variables = [*model.variables, *model.optimizer.variables]
    arrays = {f"{index:04d}": variable.numpy() for index, variable in enumerate(variables)}
    record = json.dumps({"step": step, "config": run.config.to_dict()})
    buffer = io.BytesIO()  # in memory first: numpy's writer leaves an open file behind where the disk is full
    np.savez(buffer, record=np.array(record), **arrays)
    with replacing(run.state) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def restore_state(run: Run, model: SimCLR) -> int:
    """Load what `save_state` kept.

    Returns:
        The number of steps already done.

    Raises:
        UserError: The state is missing, it is damaged, or it was written with other settings.
    """
    if not run.state.is_file():
        if not any(run.checkpoint_steps()):
            return 0  # stopped before its first step was kept
        raise UserError(f"{run.folder} holds no state to resume from; start anew with another --name.")
    try:
        with open(run.state, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record = json.loads(str(arrays.pop("record")))
        check_same_config(run.state, json.dumps(record["config"]), run.config)
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        if len(variables) != len(arrays):
            raise ValueError(f"{len(arrays)} arrays for {len(variables)} variables")
        for variable, name in zip(variables, sorted(arrays), strict=True):
            variable.assign(arrays[name])
        return int(record["step"])
    except UserError:
        raise
    except Exception as error:  # a damaged zip can raise anything from zlib to struct errors
        raise _damaged(run.state, error) from None


def _damaged(path: Path, error: Exception) -> UserError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UserError(f"{path} is damaged ({reason}); choose another checkpoint or train again.")
