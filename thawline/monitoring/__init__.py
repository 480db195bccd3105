"""Test whether new images are still like those the model was made with, without labels."""
