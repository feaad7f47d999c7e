"""Ids look like Replicate's (`api-contract.md` §9.1)."""

import base64
import re
from datetime import UTC, datetime

from cogyard.ids import new_prediction_id, new_token


def test_prediction_ids_hide_their_time_where_replicate_hides_it() -> None:
    now = datetime(2025, 6, 8, 12, 6, 15, 127_000, tzinfo=UTC)
    made = new_prediction_id(now)
    crockford, rfc4648 = "0123456789abcdefghjkmnpqrstvwxyz", "abcdefghijklmnopqrstuvwxyz234567"
    data = base64.b32decode(made.translate(str.maketrans(crockford, rfc4648)).upper() + "======")

    assert re.fullmatch(r"[0-9abcdefghjkmnpqrstvwxyz]{25}[048cgmrw]", made)
    assert int.from_bytes(data[8:12] + data[4:6], "big") == int(now.timestamp() * 1000)


def test_ids_do_not_repeat() -> None:
    now = datetime.now(UTC)

    assert len({new_prediction_id(now) for _ in range(10_000)}) == 10_000


def test_tokens_have_forty_characters() -> None:
    assert re.fullmatch(r"r8_[0-9a-z]{37}", new_token())
