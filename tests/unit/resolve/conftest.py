"""Makes the modules beside the tests importable: `resolve_world` and `resolve_policies`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
