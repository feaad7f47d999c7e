"""Content types of files, by their names and, where a name says nothing, by their first bytes."""

import mimetypes
from pathlib import Path

DEFAULT = "application/octet-stream"

_BY_SUFFIX = {
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".mid": "audio/midi",
    ".midi": "audio/midi",
    ".glb": "model/gltf-binary",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".npz": DEFAULT,
    ".gguf": DEFAULT,
    ".safetensors": DEFAULT,
}
"""Types that the standard table lacks or gives differently from one Python to the next."""

_BY_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"MThd", "audio/midi"),
)


def content_type_by_name(name: str) -> str | None:
    """The type that a file name's suffix stands for, or None."""
    suffix = Path(name).suffix.lower()
    return _BY_SUFFIX.get(suffix) or mimetypes.types_map.get(suffix)


def content_type_of(path: Path) -> str:
    """The type of a local file. Blocking: reads its first bytes when the name does not tell."""
    named = content_type_by_name(path.name)
    if named is not None:
        return named
    with path.open("rb") as file:
        head = file.read(16)
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(head[8:12], DEFAULT)
    return next((kind for magic, kind in _BY_MAGIC if head.startswith(magic)), DEFAULT)


def unit_of(content_type: str) -> str | None:
    """The metric that counts outputs of this type, as official models are priced by (`api-contract.md` §9.3)."""
    kind = content_type.partition("/")[0]
    return f"{kind}_count" if kind in ("image", "video", "audio") else None
