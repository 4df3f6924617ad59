"""`python -m data`: the same commands as `tierwise data`."""

from .cli import data

data(prog_name="python -m data")
