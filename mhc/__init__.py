"""Train text classifiers whose runs look after themselves, and promote them on evidence. Research software."""
