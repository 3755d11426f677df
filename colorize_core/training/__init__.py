"""The only room with lightning: data, degradations, losses, the training module."""
