"""The files `noise/<run>.json` of a study: what one trained circuit was worth on each noisy device."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from qssl_tf.errors import UserError, reason
from qssl_tf.files.schema import Count, Measured, Percent, Positive, Rms, Schema, Word, read_as
from qssl_tf.studies.studies import RunSpec


class Reading(Schema):
    """One device as a trained circuit meets it.

    Accuracies are in percent of the test images; rms errors are against the noiseless expectations.
    """

    device: Word
    accuracy_exact: Percent
    accuracy_raw: Percent
    accuracy_mitigated: Percent
    accuracy_refitted: Percent
    rms_raw: Rms
    rms_mitigated: Rms


class LayoutScore(Schema):
    """One layout of the circuit on the device, and the rms error that its exact noise leaves after mitigation."""

    layout: list[Count]
    estimated_success: Annotated[float, Field(ge=0, le=1)]
    rms_mitigated: Rms


class NoisyReadings(Schema):
    """Schema of a file `noise/<run>.json`."""

    run: Word
    shots: Positive
    test_images: Positive
    readings: list[Reading]
    layouts: list[LayoutScore]
    seconds: Measured


def readings_path(results: Path, spec: RunSpec) -> Path:
    """Return the path of a run's readings."""
    return results / "noise" / f"{spec.name}.json"


def read_readings(results: Path, spec: RunSpec) -> dict[str, Any] | None:
    """Return a run's readings; None if there are none.

    Raises:
        UserError: The file is damaged.
    """
    path = readings_path(results, spec)
    try:
        return read_as(path, NoisyReadings)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no readings of a run ({reason(error)}); move it away.") from None
