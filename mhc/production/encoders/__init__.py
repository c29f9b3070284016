"""Encoders in a bundle: those that transformers loads, and those that need a script."""
