"""Bundles of `model=embedding`."""
