"""Turn a source of labelled images into the packed data set."""
