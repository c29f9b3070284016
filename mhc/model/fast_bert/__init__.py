"""Faster forward and backward of BERT classifiers: padding-free, with the numbers of transformers."""
