"""`python -m tapemeter` is the command `tapemeter`."""

from __future__ import annotations

import sys

from tapemeter.cli import main

if __name__ == "__main__":
    sys.exit(main())
