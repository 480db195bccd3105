"""The report on a data set: what is in it, what is odd about it, what was set aside."""
