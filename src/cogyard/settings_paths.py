"""Where data lies by default; apart from `settings`, so that a command need not load all of those."""

import os
from pathlib import Path


def default_data_folder() -> Path:
    """`$XDG_DATA_HOME/cogyard`, else `~/.local/share/cogyard`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "cogyard"
