"""Makes the modules beside the tests importable: `golden_case` and `golden_text`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
