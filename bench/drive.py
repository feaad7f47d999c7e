"""Closed-loop clients with raw HTTP/1.1, which cost the server less of the cores than a library would."""

import asyncio
import time
from urllib.parse import urlsplit


async def drive(url: str, body: bytes, headers: list[str], clients: int, seconds: float) -> dict:
    """One closed-loop measurement with raw HTTP/1.1."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json", *headers]
    request = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
    times: list[float] = []
    start = time.perf_counter()
    end = start + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        begun = time.perf_counter()
        while time.perf_counter() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            if head[9:10] == b"2":
                now = time.perf_counter()
                times.append(now - begun)
                begun = now
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    passed = time.perf_counter() - start  # what was asked for in time is answered after it
    times.sort()
    return {
        "rps": len(times) / passed,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[int(len(times) * 0.99)] * 1000,
    }
