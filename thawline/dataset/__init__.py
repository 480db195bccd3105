"""Packed data set: manifest, images, training rows."""
