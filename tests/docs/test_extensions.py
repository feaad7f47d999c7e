"""Whatever is not Replicate's API stands in one page."""

import re

import pytest

from cogyard.api.openapi_operation import Operation
from cogyard.api.openapi_operations import OPERATIONS
from tests.yard import ROOT

EXTENSIONS = [operation for operation in OPERATIONS if operation.is_extension]
PAGE = (ROOT / "docs" / "reference" / "extensions.md").read_text()


@pytest.mark.parametrize("operation", EXTENSIONS, ids=lambda operation: operation.name)
def test_an_extension_is_documented_with_its_method_and_path(operation: Operation) -> None:
    rows = [row for row in PAGE.splitlines() if re.search(rf"{re.escape(operation.path)}[`?]", row)]

    assert any(operation.method in row for row in rows), f"{operation.method} {operation.path}"


def test_what_is_documented_as_an_extension_is_one() -> None:
    paths = {path.removeprefix("/v1") for path in re.findall(r"`[A-Z]+ (/[^`?]+)", PAGE)}

    assert paths <= {operation.path for operation in EXTENSIONS}
