"""Rows of a table, read and written as they pass by: CSV, TSV, JSON Lines, Parquet; from files, stdin, to stdout."""
