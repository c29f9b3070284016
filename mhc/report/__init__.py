"""What people and machines read of a run: figures, scalars, the closing page."""
