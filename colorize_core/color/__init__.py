"""All color math: Lab, gamut, merge, guided upsampling, YCbCr. Tensors in, tensors out."""
