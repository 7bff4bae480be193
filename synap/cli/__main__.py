"""`python -m synap.cli` runs `synap`."""

from synap.cli import main

main(prog_name="synap")
