"""Remove what a project has accumulated and nothing needs any more: `thawline gc`."""
