"""`mhc serve`: the runs and the bundles as a local page that follows them. Needs the extra `serve`."""
