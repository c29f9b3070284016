"""Texts and labels: sources, cleaning, splits, tokenisation and batches."""
