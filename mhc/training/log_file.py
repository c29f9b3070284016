"""The log of a run, `train.log`: a full disk shortens it, but fills no screen and ends no training."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

from mhc import disk, redaction


class MaskedFormatter(logging.Formatter):
    """Formats a record with credentials masked, those in its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return redaction.text(super().format(record))


class LogFile(logging.FileHandler):
    """A file handler that reports once that it cannot write, and is silent from then on."""

    def close(self) -> None:
        """Close the file; what the disk does not take is lost."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Close the log if the disk does not take it; report a mistake in a log call as logging does."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        log = Path(self.baseFilename)
        logging.getLogger("mhc").warning("%s ends here: %s", log, disk.reason(error, log.parent))
