"""Compress a trained network to the smaller, faster file that ships."""
