"""``python -m ampacity``: the command line."""

import sys

from ampacity.cli import main

if __name__ == "__main__":
    sys.exit(main())
