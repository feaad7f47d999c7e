"""What a Cog folder says: its `cog.yaml`, which of its files count, and the OpenAPI schema of its model.

Everything here reads. Nothing is built, and the model's code is run only by `schema.derive_schema_by_import`, in a
child process.
"""
