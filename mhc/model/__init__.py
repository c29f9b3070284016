"""Networks, the LightningModule that trains them, losses and optimizers."""
