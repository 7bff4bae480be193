"""Compile all kernels of the source tree in the working directory: `kernels.py DIRECTORY LEVEL,LEVEL`."""

import sys
from pathlib import Path

from synap.commands import FAMILIES
from synap.compiler.ship import ship
from synap.store import entry_points

directory, levels = sys.argv[1:]
ship(Path(directory), levels.split(","), entry_points.modules(FAMILIES))
