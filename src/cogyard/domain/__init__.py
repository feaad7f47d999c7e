"""The words of the house, as values and pure functions.

A **model** (`owner/name`) has **versions**, each an immutable build: source, environment and OpenAPI schema. A
**prediction** is one run of a version; it goes `starting → processing → succeeded, failed or canceled`, and only
`prediction.apply(prediction, event)` moves it. An **instance** is the record of one Cog server that serves a
**target** (a version). It holds a **claim** on a prediction for the time of a **lease**; each claim raises the
prediction's **epoch**, so that the late answer of an instance that lost its claim is refused. The n-th try is its
**attempt**.

Nothing here does I/O, reads a clock or draws a random number; only the standard library is imported.
"""
