"""Convolutions by kind: one module each, chosen by `model.design.convolution`."""
