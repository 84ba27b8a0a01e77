"""The machine, as `/v1/agent/host` tells it: what the operating system says without a library's help."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import time
from typing import Any


def described() -> dict[str, Any]:
    """In gopsutil's fields, of which Consul's answer is made. What cannot be known here is left out."""
    pages, free, size = (_sysconf(name) for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES", "SC_PAGE_SIZE"))
    total, available = pages * size, free * size
    disk = shutil.disk_usage(os.sep)
    return {
        "Memory": {
            "total": total,
            "available": available,
            "used": total - available,
            "usedPercent": _percent(total - available, total),
            "free": available,
        },
        "CPU": [
            {"cpu": number, "cores": 1, "modelName": platform.processor() or platform.machine()}
            for number in range(os.cpu_count() or 1)
        ],
        "Host": {
            "hostname": socket.gethostname(),
            "os": platform.system().lower(),
            "platform": platform.system().lower(),
            "kernelVersion": platform.release(),
        },
        "Disk": {
            "path": os.sep,
            "total": disk.total,
            "free": disk.free,
            "used": disk.used,
            "usedPercent": _percent(disk.used, disk.total),
        },
        "CollectionTime": time.time_ns(),
        "Errors": None,
    }


def _sysconf(name: str) -> int:
    """0 where the system does not tell (macOS knows no free pages)."""
    try:
        return max(os.sysconf(name), 0)
    except (ValueError, OSError):
        return 0


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
