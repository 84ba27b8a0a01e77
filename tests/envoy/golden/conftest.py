"""Makes `golden_case` of `tests/golden` importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "golden"))
