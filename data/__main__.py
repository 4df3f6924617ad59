"""`python -m data`: the same commands as `tierwise data`."""

from .commands import data

data(prog_name="python -m data")
