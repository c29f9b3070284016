"""N-grams of words and pieces of words, counted by a vocabulary that is learned from train."""
