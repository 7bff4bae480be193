"""Runs the command line of `synap` for `python -m synap`."""

from synap.cli import main

main(prog_name="synap")
