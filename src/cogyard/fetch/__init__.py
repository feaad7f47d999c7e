"""Talks to addresses that callers name, never to one that is off limits: brings inputs here, posts webhooks there."""

from cogyard.fetch.addresses import AddressPolicy
from cogyard.fetch.fetcher import Fetcher, FetchFailed, FetchLimits
from cogyard.fetch.poster import Poster

__all__ = ["AddressPolicy", "FetchFailed", "FetchLimits", "Fetcher", "Poster"]
