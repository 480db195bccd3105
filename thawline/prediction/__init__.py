"""Predict new image files with a trained model: list, decode, predict, write."""
