"""Thawline: labelled images to the best convolutional classifier for a budget."""
