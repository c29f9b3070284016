"""The fixtures of the command line, which shows what was measured."""

from __future__ import annotations

from tests.cli.conftest import mhc as mhc
from tests.cli.conftest import outputs as outputs
