"""Are new images still like those that the model was made with? No labels are needed."""
