"""`thawline gc`: what a project has gathered and nothing needs any more."""
