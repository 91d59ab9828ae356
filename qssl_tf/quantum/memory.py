"""Available memory, of the machine or of the container that limits it."""

from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")  # within a container, its own limits
# For cgroup versions 2 and 1: limit, usage, and the part of the usage that the kernel can reclaim.
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def available(groups: Path = GROUPS) -> int:
    """Return how many bytes this process can still allocate before something is swapped or killed.

    Args:
        groups: Folder of the control groups.
    """
    import psutil  # imported late to keep `--help` fast

    return min([psutil.virtual_memory().available, *_free_in_groups(groups)])


def _free_in_groups(groups: Path) -> list[int]:
    free_bytes = []
    for limit_file, usage, reclaimable in FILES:
        try:
            limit_bytes = int((groups / limit_file).read_text())  # "max" where there is none
            stat = dict(
                line.split() for line in (groups / limit_file).with_name("memory.stat").read_text().splitlines()
            )
            free_bytes.append(max(0, limit_bytes - int((groups / usage).read_text()) + int(stat.get(reclaimable, 0))))
        except (OSError, ValueError):
            continue
    return free_bytes
