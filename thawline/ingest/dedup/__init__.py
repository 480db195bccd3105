"""Find copies, near copies and pictures under two labels."""
