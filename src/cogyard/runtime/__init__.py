"""How a pushed folder becomes a version, and a version a running Cog server.

`builder` makes a version of a folder: source, schema, environment. `environment` builds the environments with uv, one
for each distinct set of requirements. `venv` says how to start a Cog server in one. `wrapper` is what runs in there.
"""
