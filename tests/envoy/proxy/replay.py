"""A replay server for tests: says that it began and that it was asked to end.

python replay.py FILE
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path


def main() -> None:
    with Path(sys.argv[1]).open("a") as file:
        file.write("begins\n")
        file.flush()
        signal.sigwait({signal.SIGTERM})
        file.write("ends\n")


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
