"""The HTTP API: Replicate's contract, and Cogyard's few extensions. It parses, calls a use case and renders.

`app` holds the routes and the middleware as literal lists; `request` turns bytes into values, `wire` values into
bytes; `errors` is the one place that knows which error has which status.
"""
