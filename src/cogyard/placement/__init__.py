"""Where instances live: `local` keeps them as children of this server."""
