"""Networks of a test's own, in which packets can vanish."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache


@cache
def has_networks() -> bool:
    """Whether this machine lets us have a network of our own, and drop packets in it."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "iptables", "ip"))):
        return False
    return not subprocess.run(["unshare", "--net", "iptables", "-L"], capture_output=True, check=False).returncode
