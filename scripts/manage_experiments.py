"""The `mhc` program without installation: `python scripts/manage_experiments.py list`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mhc.cli.main import main

if __name__ == "__main__":
    main()
