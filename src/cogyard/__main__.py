"""`python -m cogyard` is the command line."""

from cogyard.cli import main

main()
