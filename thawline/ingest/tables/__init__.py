"""Read sources whose images and labels are rows of a table."""
