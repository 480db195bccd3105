"""How training images vary: a module a policy, `policy(image_size_px, *, options) -> steps`."""
