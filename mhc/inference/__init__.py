"""A table of texts in, labels and probabilities out."""
