"""What runs have measured, read from their folders: records, evidence and learning curves, for a report."""
