"""Texts of `model=embedding`: ids of an encoder beside those of n-grams, and a cache of the encoder's vectors."""
