"""What commands take as the id of a thing."""

import re
from typing import Annotated

import typer

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def parse_id(text: str) -> str:
    """An id as it is; it becomes part of an address, so anything else would lead elsewhere."""
    if not _ID.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no id: an id is made of letters, digits, _ and -.")
    return text


Id = Annotated[str, typer.Argument(metavar="ID", parser=parse_id)]
