"""Predictions of bundles, for other programs and for a person who tries a text. No text is stored or logged."""
