"""`python -m asv_bench.versus`: see `report.py`. The scripts of this folder import each other by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import main

main()
