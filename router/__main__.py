"""`python -m router`: the `tierwise` command."""

from .cli import main

main(prog_name="tierwise")
