"""How much memory is left: of the machine, and of the container that may be a part of it."""

from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")  # a container sees its own limits here
# Files of version 2 and of version 1: the limit, what is in use, and the part of that which the kernel can take back.
FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def available(groups: Path = GROUPS) -> int:
    """Return the bytes that this process can still take before something is swapped or killed.

    Args:
        groups: Where the kernel tells of control groups.
    """
    import psutil  # late, for `--help`

    return min([psutil.virtual_memory().available, *_of_groups(groups)])


def _of_groups(groups: Path) -> list[int]:
    found = []
    for limit, used, spare in FILES:
        try:
            at_most = int((groups / limit).read_text())  # "max" where there is none
            stat = dict(line.split() for line in (groups / limit).with_name("memory.stat").read_text().splitlines())
            found.append(max(0, at_most - int((groups / used).read_text()) + int(stat.get(spare, 0))))
        except (OSError, ValueError):
            continue
    return found
