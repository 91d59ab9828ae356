"""Found by Python as it starts: counts the calls that make a file last or appear, and kills the process at one of them.

`faults.py --calls` puts this folder on PYTHONPATH. FAULT_COUNT names a file for the number of calls, FAULT_CALL says
where to kill: `before 7` or `after 7`. Both are of this process alone, not of those that it starts.
"""

import os
import signal

COUNTED = ("rename", "replace", "fsync", "link", "symlink", "mkdir", "unlink")
count_file, (when, wanted) = os.environ.pop("FAULT_COUNT", ""), os.environ.pop("FAULT_CALL", "never 0").split()
calls = 0


def counted(real):
    """Return a function that counts its calls among all of them."""

    def call(*arguments, **named):
        global calls
        calls += 1
        mine = calls  # one call may begin within another
        if count_file:
            with open(count_file, "w", encoding="ascii") as file:
                file.write(str(mine))
        if (when, mine) == ("before", int(wanted)):
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*arguments, **named)
        finally:  # also where it failed: the folder was there already
            if (when, mine) == ("after", int(wanted)):
                os.kill(os.getpid(), signal.SIGKILL)

    return call


if count_file or when != "never":
    for name in COUNTED:
        setattr(os, name, counted(getattr(os, name)))
