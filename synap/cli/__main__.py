"""`python -m synap.cli`, which is `synap`."""

from synap.cli import main

main(prog_name="synap")
