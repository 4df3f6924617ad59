"""`python -m router`: the `tierwise` command."""

from .cli.main import main

main(prog_name="tierwise")
