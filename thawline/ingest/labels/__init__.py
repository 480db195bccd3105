"""Names, numbers and corrections of labels."""
