"""The ledger of webhook deliveries in every store, tried on SQLite in a temporary folder."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cogyard.domain.account import Account
from cogyard.domain.events import CancelRequested
from cogyard.domain.values import DeliveryId, PredictionId
from cogyard.domain.webhook import Delivery, DeliveryState, WebhookEvent
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, prediction, with_store


def delivery(account: Account, name: str, after: float) -> Delivery:
    """One whose next attempt is so many seconds after `NOW`."""
    return Delivery(
        id=DeliveryId(name),
        prediction=PredictionId("p" * 26),
        account=account.id,
        event=WebhookEvent.output,
        url="http://a/b",
        created_at=NOW,
        next_attempt_at=NOW + timedelta(seconds=after),
    )


def test_what_is_in_hand_is_neither_given_again_nor_waited_for(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        for name, after in (("late", 7.0), ("three", 0.0), ("one", -3.0), ("two", -1.0)):
            await store.save_delivery(delivery(account, name, after))

        due = await store.due_deliveries(NOW, 2, ())
        rest = await store.due_deliveries(NOW, 2, [one.id for one in due])

        assert [one.id for one in due] == ["one", "two"]
        assert [one.id for one in rest] == ["three"]
        assert await store.next_delivery_at(NOW) == NOW + timedelta(seconds=7)
        assert await store.next_delivery_at(NOW + timedelta(seconds=7)) is None

    with_store(tmp_path, scenario)


def test_what_was_told_goes_with_the_predictions_data(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        made = await store.create_prediction(prediction(account))
        await store.wish_end(made.id, CancelRequested(at=NOW))
        waiting = replace(delivery(account, "waiting", 0), prediction=made.id, body="hi")
        told = replace(waiting, id=DeliveryId("told"), state=DeliveryState.delivered, next_attempt_at=None)
        for one in (waiting, told):
            await store.save_delivery(one)
        before = [await body_of(store, account, name) for name in ("waiting", "told")]

        assert await store.forget_predictions(NOW + timedelta(hours=1), 10) == [made.id]
        after = [await body_of(store, account, name) for name in ("waiting", "told")]
        await store.save_delivery(replace(waiting, state=DeliveryState.failed, next_attempt_at=None))

        assert before == ["hi", "hi"]
        assert after == ["hi", None]  # what is still to be told is owed as it was
        assert await body_of(store, account, "waiting") is None

    with_store(tmp_path, scenario)


async def body_of(store: SqliteStore, account: Account, name: str) -> str | None:
    found = await store.get_delivery(account.id, DeliveryId(name))
    assert found is not None
    return found.body
