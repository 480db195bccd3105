"""Report on a data set: its contents, its oddities, what was set aside."""
