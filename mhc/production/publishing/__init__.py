"""Copies of bundles outside of `models/`: in a folder, an object store or on the hub."""
