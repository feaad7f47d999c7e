"""The command line. `app` is the table of commands; each module holds one and speaks HTTP to the server."""

import sys


def main() -> None:
    """Run the command that the arguments name."""
    try:
        from cogyard.cli.app import run

        run()
    except KeyboardInterrupt:  # which may come while all this is being imported
        sys.exit(130)
