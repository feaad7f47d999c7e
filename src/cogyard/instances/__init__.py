"""The life of one Cog server: a director boots it through a driver, claims work for it, records what it says, stops it."""
