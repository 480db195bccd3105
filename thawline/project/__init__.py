"""Projects of one's own on the installed package, and which code their results were made by."""
