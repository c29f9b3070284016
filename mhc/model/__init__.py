"""What learns: networks, the LightningModule that trains them, losses, optimizers."""
