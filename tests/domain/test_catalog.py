"""Names of models and versions."""

import pytest

from cogyard.domain.catalog import Reference, parse_model_name, parse_reference
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.values import VersionId

ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, Reference(version=VersionId(ID))),
        ("acme/up-scaler_2.0", Reference("acme", "up-scaler_2.0")),
        (f"Acme/Upscaler:{ID}", Reference("Acme", "Upscaler", VersionId(ID))),
        ("acme/upscaler:latest", None),
        ("acme", None),
        ("acme/", None),
        ("a/b/c", None),
        ("../etc", None),
        (ID.upper(), None),
        ("", None),
        ("acme/up scaler", None),
    ],
)
def test_a_reference_has_one_of_three_forms(text: str, expected: Reference | None) -> None:
    assert parse_reference(text) == expected


def test_a_name_that_is_none_is_told_what_one_looks_like() -> None:
    with pytest.raises(InvalidRequest, match="Write owner/name"):
        parse_model_name("acme")
