"""Intervals of scores, and paired comparisons of two models on the same rows."""
