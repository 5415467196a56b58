"""python -m aligner"""

import sys

from .cli import main

sys.exit(main())
