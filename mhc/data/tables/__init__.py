"""Tables: the one reader of files of texts, for training, predict, evaluate and the inspection of data."""
