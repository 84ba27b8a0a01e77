from __future__ import annotations

import subprocess
import sys


def test_the_supervisor_loads_the_standard_library_and_its_own_room_only() -> None:
    program = "import sys; import sampan.proxy.supervisor, sampan.proxy.client, sampan.proxy.trial; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    loaded = run.stdout.split()
    strangers = {
        name
        for name in loaded
        if name.partition(".")[0] not in sys.stdlib_module_names | {"sampan", "_distutils_hack", "sitecustomize"}
    }
    assert strangers - {"__main__", "__mp_main__"} == set()
    assert {name for name in loaded if name.startswith("sampan.") and not name.startswith("sampan.proxy")} == set()
