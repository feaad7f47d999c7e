"""The command line. `app` is the table of commands; each module holds one and speaks HTTP to the server."""


def main() -> None:
    """Run the command that the arguments name."""
    from cogyard.cli.app import run

    run()
