"""Runs that leave `outputs/`: archive, restore, cleanup, purge; and annotations and doctor."""
