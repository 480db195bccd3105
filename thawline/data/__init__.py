"""Images, labels and splits: from a source to packed arrays and a manifest."""
