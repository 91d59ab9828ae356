"""Available memory, judged by made-up files of control groups as the kernel's documentation describes them.

Version 1: https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, version 2:
https://docs.kernel.org/admin-guide/cgroup-v2.html.
"""

import psutil
import pytest

from qssl_tf.memory import available

NAMES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def group(folder, version, limit, usage=700, reclaimable=200):
    """Make the files of one control group."""
    folder.mkdir(parents=True, exist_ok=True)
    limit_name, usage_name, reclaimable_name = NAMES[version]
    (folder / limit_name).write_text(f"{limit}\n")
    (folder / usage_name).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{reclaimable_name} {reclaimable}\n")


def test_memory_of_the_machine_counts_where_nothing_limits_it(tmp_path):
    own = tmp_path / "cgroup"
    free_bytes = psutil.virtual_memory().available
    assert available(tmp_path, own) == pytest.approx(free_bytes, rel=0.2)
    group(tmp_path, 2, "max")
    group(tmp_path / "memory", 1, 9223372036854771712)  # version 1 has a number for none
    for text in ("", "0::/\n4:memory:/\n", "nonsense\n", "0::/../..\n", "0::/gone/job\n4:memory:/gone\n"):
        own.write_text(text)
        assert available(tmp_path, own) == pytest.approx(free_bytes, rel=0.2)


@pytest.mark.parametrize(("version", "folder"), [(2, ""), (1, "memory")])
def test_memory_of_a_container_counts(version, folder, tmp_path):
    group(tmp_path / folder, version, 1000)
    assert available(tmp_path, tmp_path / "none") == 500
    group(tmp_path / folder, version, 1000, usage=1400)
    assert available(tmp_path, tmp_path / "none") == 0


@pytest.mark.parametrize(("version", "folder", "line"), [(2, "", "0::"), (1, "memory", "4:cpu,memory:")])
def test_the_smallest_limit_of_the_groups_of_a_job_counts(version, folder, line, tmp_path):
    """As on a node of Slurm, whose root has no limit and whose groups of jobs and steps lie within each other."""
    own = tmp_path / "cgroup"
    own.write_text(f"12:cpuset:/\n{line}/slurm/job_7/step_0\n")
    unlimited = "max" if version == 2 else 9223372036854771712
    group(tmp_path / folder, version, unlimited)
    group(tmp_path / folder / "slurm" / "job_7", version, 900)
    group(tmp_path / folder / "slurm" / "job_7" / "step_0", version, unlimited)
    group(tmp_path / folder / "slurm" / "job_8", version, 600)  # somebody else's
    assert available(tmp_path, own) == 400
    group(tmp_path / folder / "slurm" / "job_7" / "step_0", version, 800)
    assert available(tmp_path, own) == 300
