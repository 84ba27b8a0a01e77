"""`python -m sampan.daemon`."""

import sys

from sampan.daemon.main import main

sys.exit(main())
