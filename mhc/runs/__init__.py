"""One run: its record's store, its folder, its live process, its evidence."""
