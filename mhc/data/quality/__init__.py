"""What is wrong with texts, authors and classes: found, counted, and mended or left out on request."""
