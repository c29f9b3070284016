"""The packed forward and backward of BERT-family encoders."""
