"""A trained model on new image files: which files, their pixels, what the model says of them."""
