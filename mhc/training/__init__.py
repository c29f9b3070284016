"""One training: its config, its job, resuming, exit codes."""
