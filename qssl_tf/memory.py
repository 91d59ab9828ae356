"""Available memory, of the machine or of the container or job that limits it."""

from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")  # control groups; within a container its own is their root
OWN = Path("/proc/self/cgroup")  # which of them this process belongs to, as on a node of Slurm
# For versions 2 and 1: the folder of the hierarchy and what OWN calls it; a group's files with its limit and its usage,
# and the name of the part of its usage that the kernel can reclaim.
VERSIONS = (
    ("", "", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Return how many bytes this process can still allocate before something is swapped or killed.

    Args:
        groups: Folder of the control groups.
        own: File that names those of this process.
    """
    import psutil  # imported late to keep `--help` fast

    return min([psutil.virtual_memory().available, *_free_in_groups(groups, own)])


def _free_in_groups(groups: Path, own: Path) -> list[int]:
    """Return what the limit of each group leaves free, in bytes; a group without a limit is left out."""
    free_bytes = []
    for hierarchy, controller, limit, usage, reclaimable in VERSIONS:
        for group in _own_groups(groups / hierarchy, controller, own):
            try:
                limit_bytes = int((group / limit).read_text())  # "max" where there is none
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                free = limit_bytes - int((group / usage).read_text()) + int(stat.get(reclaimable, 0))
            except (OSError, ValueError):
                continue
            free_bytes.append(max(0, free))
    return free_bytes


def _own_groups(root: Path, controller: str, own: Path) -> list[Path]:
    """Return the root of a hierarchy and the groups within it that hold this process, each of which may limit it."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except (OSError, ValueError):
        lines = []
    path = next((line[2] for line in lines if len(line) == 3 and controller in line[1].split(",")), "")
    parts = [part for part in path.split("/") if part]
    if ".." in parts:  # it lies outside of what this process sees
        parts = []
    return [root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
