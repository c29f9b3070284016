"""Texts and labels: sources, cleaning, splits, tokenization and batches."""
