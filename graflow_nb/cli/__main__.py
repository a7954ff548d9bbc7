"""``python -m graflow_nb.cli`` is ``graflow-nb``."""

from __future__ import annotations

import sys

from graflow_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
