"""Select and open the files of a source safely."""
