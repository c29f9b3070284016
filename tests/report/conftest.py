"""The fixtures of the command line, with which a report is written."""

from __future__ import annotations

from tests.cli.conftest import mhc as mhc
from tests.cli.conftest import outputs as outputs
