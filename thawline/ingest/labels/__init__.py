"""Handle names, numbers and corrections of labels."""
