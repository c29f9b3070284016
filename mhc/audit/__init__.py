"""Data files examined before a training: columns, defects, suspect labels, and the command line that trains."""
