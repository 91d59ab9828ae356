"""What figures on a GPU depend on: card, driver, clock, versions and memory."""

import shutil
import subprocess
from typing import Any

import tensorflow as tf
from timing import machine

FIELDS = ("name", "driver_version", "memory.total", "clocks.sm", "power.limit")


def graphics() -> dict[str, Any]:
    """Return the machine, its GPU and what TensorFlow makes of it."""
    devices = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(devices[0]) if devices else {}
    build = tf.sysconfig.get_build_info()
    return {
        **machine(),
        "gpu": details.get("device_name"),
        "compute_capability": ".".join(map(str, details.get("compute_capability", ()))) or None,
        "nvidia_smi": asked_of_driver() if devices else None,
        "tensorflow": tf.version.VERSION,
        "built_for": {name: build.get(name) for name in ("cuda_version", "cudnn_version")},
    }


def asked_of_driver() -> dict[str, str] | None:
    """Return what `nvidia-smi` says of the first card, or None where there is none."""
    if shutil.which("nvidia-smi") is None:
        return None
    words = ["nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    first = (done.stdout.splitlines() or [""])[0]
    return dict(zip(FIELDS, (each.strip() for each in first.split(",")), strict=False))


def peak_bytes() -> int | None:
    """Return the most memory that was held on the GPU since `forget_peak`, or None without one."""
    if not tf.config.list_logical_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def forget_peak() -> None:
    """Count the most memory from here on."""
    if tf.config.list_logical_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
