"""`python -m thawline.pipeline.forkserver.recorders`: a `server` from which no stage forks.

What records stages does, where they run by themselves.
"""

import sys

from thawline.pipeline.forkserver.server import main

if __name__ == "__main__":
    main(*sys.argv[1:])
