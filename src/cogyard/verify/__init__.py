"""A conformance suite: tries whether a server keeps the facts of the API reference.

It knows an address and a token, and no server code. `suite` holds all checks, `sections` writes them down.
"""
