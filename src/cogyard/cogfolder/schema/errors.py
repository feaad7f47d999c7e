"""Why a schema cannot be derived."""


class SchemaError(Exception):
    """The model's source cannot be described. `str()` is `file:line: problem`, the problem a sentence."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem


class NeedsImport(Exception):
    """Only running the model's code tells; `str()` says what could not be read."""

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason
