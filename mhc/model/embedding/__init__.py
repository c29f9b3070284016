"""A frozen encoder and logistic regression over its vectors, beside TF-IDF if wanted."""
