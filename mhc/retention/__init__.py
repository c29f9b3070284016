"""What leaves `outputs/`: archive, restore, cleanup, purge, annotations, doctor."""
