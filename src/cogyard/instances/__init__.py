"""The life of one Cog server.

A `director` boots it through a `driver`, claims predictions for its free slots, brings their input files to local
paths (`inputs`), and hands what the model says to a `recorder`, which keeps the store up to date.
"""
