"""Augmentation policies: a module each, `policy(image_size_px, *, options) -> steps`."""
