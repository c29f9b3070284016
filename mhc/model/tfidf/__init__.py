"""TF-IDF and logistic regression: the reference for every encoder."""
