"""Texts and labels: where they come from, how they are cleaned, cut, tokenised and served."""
