"""The sections of a report. Each module converts results into blocks; pure: nothing here reads a file."""
