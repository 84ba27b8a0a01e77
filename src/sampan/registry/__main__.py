"""`python -m sampan.registry`."""

import sys

from sampan.registry.main import main

sys.exit(main())
