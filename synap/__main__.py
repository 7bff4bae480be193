"""`python -m synap`, which is `synap`."""

from synap.cli import main

main(prog_name="synap")
