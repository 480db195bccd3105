"""Run the commands as `python -m thawline.cli`."""

from thawline.cli.app import main

main()
