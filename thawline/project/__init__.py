"""Create and maintain projects that run on the installed package."""
