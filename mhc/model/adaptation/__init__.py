"""How a pretrained encoder is fine-tuned: its pooling, frozen and re-initialised layers, adapters."""
