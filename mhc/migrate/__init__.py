"""Import of runs from other trackers: read their files, and write records of ours."""
