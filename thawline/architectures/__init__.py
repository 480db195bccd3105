"""Networks: one module a family, with NAMES, `describe`, `build` and `imagenet_weights`."""
