"""From a source of labelled images to the packed data set."""
