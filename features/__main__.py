"""`python -m features VERB`: the command of the cache, see `cli.cache`."""

import sys

from cli.cache import main

if __name__ == "__main__":
    sys.exit(main())
