"""Take over the runs of other trackers: read their files, make our records of them."""
