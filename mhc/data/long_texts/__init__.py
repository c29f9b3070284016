"""How texts of more tokens than the model reads are read."""
