"""What the environment was before anybody changed it: this module is loaded with graflow_nb itself."""

from __future__ import annotations

import os
from typing import Final

ENVIRONMENT: Final = dict(os.environ)
