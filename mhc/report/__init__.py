"""Results of a run for users and other programs: figures, scalars, tables, the closing page."""
