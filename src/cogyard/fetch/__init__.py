"""Brings what callers name by URL to local files, within limits, and never from an address that is off limits."""

from cogyard.fetch.addresses import AddressPolicy
from cogyard.fetch.fetcher import Fetcher, FetchFailed, FetchLimits

__all__ = ["AddressPolicy", "FetchFailed", "FetchLimits", "Fetcher"]
