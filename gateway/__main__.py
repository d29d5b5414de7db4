"""`python -m gateway`: the same as `masugata`, for processes that start one another."""

from gateway.cli.main import main

main()
