"""The packed data set: manifest, images, training rows."""
