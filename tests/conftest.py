"""The state that every test starts from: signals as on a terminal, and none of the user's environment variables."""

from __future__ import annotations

import os
import signal

# A script that was started in the background ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

for name in ("MHC_OUTPUTS", "MHC_MODELS", "MHC_CACHE", "MHC_POLICY", "MHC_DEBUG", "MHC_EVIDENCE_KEY", "MHC_RUN"):
    os.environ.pop(name, None)
