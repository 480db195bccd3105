"""How training images vary: one module a policy, `policy(image_size_px, *, options) -> Compose`."""
