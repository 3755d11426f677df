"""Networks and their checkpoint format. Tensors in, tensors out."""
