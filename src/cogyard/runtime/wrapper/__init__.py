"""Code that runs inside a model's own environment, between the Cog server and the model. Nothing here imports it."""
