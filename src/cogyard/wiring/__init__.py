"""The composition root: settings in, the objects of this process out. It alone knows both sides of each seam."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from starlette.types import ASGIApp

from cogyard.accounts import Accounts
from cogyard.api.app import create_app
from cogyard.api.wire import Wire, to_bytes
from cogyard.api.yard import Links, Yard
from cogyard.audit import Audit
from cogyard.budgets import Budgets
from cogyard.bus import LocalBus
from cogyard.clock import SystemClock
from cogyard.collections import Collections
from cogyard.creation import Admission
from cogyard.deployments import Deployments, InstanceLimits
from cogyard.domain.account import AccountKind, Role
from cogyard.domain.queue import deployment_of
from cogyard.domain.usage import Prices
from cogyard.domain.values import InstanceId
from cogyard.domain.webhook import SCHEDULES
from cogyard.embeddings import Embeddings
from cogyard.fetch import Poster
from cogyard.files import FolderFiles
from cogyard.hooks import Hooks
from cogyard.ids import (
    new_delivery_id,
    new_file_id,
    new_instance_id,
    new_prediction_id,
    new_signing_key,
    new_token,
    new_webhook_key,
)
from cogyard.instances.inputs import InputFiles
from cogyard.instances.memory import MemoryGroups
from cogyard.instances.run import Surroundings
from cogyard.instances.scratch import clean_up_spool, spooled
from cogyard.janitor import Janitor
from cogyard.keeping import ModelKeeping
from cogyard.limits import LocalLimiter
from cogyard.links import LinkSigner
from cogyard.media import content_type_of
from cogyard.meter import Meter
from cogyard.models import Models
from cogyard.overview import Overview
from cogyard.placement.local import LocalPlacement
from cogyard.predictions import Predictions
from cogyard.rollout import Rollout
from cogyard.runtime.builder import FolderBuilder
from cogyard.runtime.environment import Environments, find_uv
from cogyard.runtime.venv import VenvRuntime
from cogyard.scheduler import Scheduler
from cogyard.sealing import open_inputs
from cogyard.secrets import Secrets
from cogyard.settings import Settings
from cogyard.store import open_store
from cogyard.store.sqlite import SqliteStore
from cogyard.timekeeper import Timekeeper
from cogyard.tls import STAND_IN_HOSTS
from cogyard.tokens import Tokens, as_caller
from cogyard.trainings import Trainings
from cogyard.uploads import Making, Uploads
from cogyard.usage import Usage
from cogyard.vault import Vault
from cogyard.webhooks import Manner, Webhooks
from cogyard.wiring.directors import director_maker, prepare
from cogyard.wiring.parts import fetcher_of, keeping_of, kinds_of, policy_of, rates_of

SEARCHER = "_search"
"""The account whose predictions embed what is searched; callers' names cannot begin so, and it has no token."""


@dataclass(slots=True)
class Running:
    """A started server: its application, and what its front door has to know."""

    app: ASGIApp
    admin: str
    stopping: bool = field(default=False)
    #: services that ended by a fault of ours; predictions may not run any more
    dead: list[str] = field(default_factory=list)

    def note_end(self, service: "asyncio.Task[None]") -> None:
        """A service has ended; it should not have, unless the server is stopping."""
        if not service.cancelled() and (fault := service.exception()) is not None:
            self.dead.append(service.get_name())
            structlog.get_logger().error("service.died", service=service.get_name(), exc_info=fault)

    def reasons(self) -> list[str]:
        """Why the server is not ready; empty when it is."""
        stopping = ["the server is stopping"] if self.stopping else []
        return [*stopping, *(f"its {name} died; restart the server, its log says why" for name in self.dead)]


@asynccontextmanager
async def start(settings: Settings, secret: str) -> AsyncIterator[Running]:
    """Open the data folder and run everything behind the API until the context ends; `secret` is the admin's token.

    On leaving, running predictions get their grace and go back to the queue after it. Raises what `open_store` raises.
    """
    data, clock, bus = settings.data.absolute(), SystemClock(), LocalBus()
    await asyncio.to_thread(lambda: data.mkdir(mode=0o700, parents=True, exist_ok=True))
    async with AsyncExitStack() as stack:
        store = await open_store(data / "cogyard.db", clock)
        stack.push_async_callback(store.close)
        files = await asyncio.to_thread(FolderFiles, data / "files")
        signer = LinkSigner(await store.get_secret("links", new_signing_key))
        environments = Environments(data / "environments", data / "cache" / "uv", find_uv(), os.environ)
        builder = FolderBuilder(environments, data / "sources", data / "builds", data / "cache" / "weights")
        await builder.clean_up()
        ports: dict[InstanceId, int] = {}
        groups = await asyncio.to_thread(MemoryGroups.find)
        if groups is not None:
            stack.callback(groups.close)
        policy = policy_of(
            settings, lambda: frozenset(ports[one.id] for one in placement.instances() if one.id in ports)
        )
        fetcher = await stack.enter_async_context(fetcher_of(settings, policy))
        inputs = InputFiles(fetcher, files, store, lambda file, query: signer.verify_output(file, query, clock.now()))
        retention = timedelta(seconds=settings.retention) if settings.retention else None
        scratch = data / "instances"
        janitor = Janitor(store, files, bus, clock, retention, scratch)
        prices = Prices(settings.currency, settings.hardware_prices)
        vault = Vault(settings.secrets_key_file or data / "secrets.key")
        secrets = Secrets(store, vault, bus, clock)
        admission = Admission(
            queue_limit=settings.max_queue,
            prices=prices,
            vault=vault,
            expect=lambda queue: scheduler.expect(queue),  # noqa: PLW0108 - it is made below
        )
        trainings = Trainings(store, builder, bus, clock, new_prediction_id, admission)
        meter = Meter(store, clock, prices)
        await meter.recover()
        await janitor.recover()
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        for lot in await asyncio.to_thread(spooled):
            await asyncio.to_thread(clean_up_spool, await store.get_predictions(lot))
        rollout = Rollout(store, bus, clock, lambda: placement.instances())  # noqa: PLW0108 - it is made below
        around = Surroundings(
            store=store,
            bus=bus,
            clock=clock,
            files=files,
            inputs=inputs,
            prepare=prepare,
            open_input=partial(open_inputs, vault),
            graduate=trainings.graduate,
            setup_failed=rollout.setup_failed,
            new_file_id=lambda: new_file_id(clock.now()),
            content_type=content_type_of,
            setup_timeout=timedelta(seconds=settings.setup_timeout),
            stop_grace=timedelta(seconds=settings.stop_grace),
        )
        runtime = VenvRuntime(environments, data / "sources", os.environ)
        placement = LocalPlacement(
            director_maker(settings, store, files, secrets, runtime, around, scratch, ports, groups),
            bus,
            clock,
            lambda: new_instance_id(clock.now()),
        )
        stack.push_async_callback(meter.book)  # when the last instances have ended
        stack.push_async_callback(placement.close)
        kinds = await asyncio.to_thread(kinds_of, settings)
        scheduler = Scheduler(store, placement, bus, clock, kinds, keeping_of(settings))
        hooks = Hooks(store, bus, clock, new_webhook_key)
        poster = await stack.enter_async_context(Poster(policy, settings.webhook_timeout))
        wire = partial(
            Wire,
            clock=clock,
            output_ttl=timedelta(seconds=settings.output_ttl),
            sign_output=signer.sign_output,
            stream_path=signer.stream_path,
        )
        webhooks = Webhooks(
            store,
            bus,
            clock,
            poster,
            Manner(
                render=lambda told: to_bytes(wire(base=told.base_url or "").prediction(told)),
                key=hooks.key,
                new_id=new_delivery_id,
                schedule=SCHEDULES[settings.webhook_retries],
            ),
        )
        predictions = Predictions(
            store,
            bus,
            clock,
            new_prediction_id,
            community_by_name=settings.community_by_name,
            admission=admission,
        )
        embeddings = await _embeddings(settings, store, predictions, clock)
        accounts = Accounts(store, bus, clock)
        admin = await accounts.bootstrap(settings.owner, secret)
        running = Running(app=_no_app, admin=admin.username)
        services = {
            "scheduler": scheduler.run(),
            "placement": placement.run(),
            "janitor": janitor.run(),
            "timekeeper": Timekeeper(store, bus, clock).run(),
            "webhooks": webhooks.run(),
            "meter": meter.run(),
            "rollout": rollout.run(),
        }
        if embeddings is not None:
            services["embeddings"] = embeddings.run()
        for name, service in services.items():
            task = asyncio.create_task(service, name=name)
            task.add_done_callback(running.note_end)
            stack.push_async_callback(_end, task)
        running.app = create_app(
            Yard(
                accounts=accounts,
                secrets=secrets,
                tokens=Tokens(store, clock, new_token),
                audit=Audit(store, clock),
                usage=Usage(store, clock, prices),
                budgets=Budgets(store, clock, settings.currency),
                overview=Overview(store, placement, kinds, prices, scheduler.reason),
                keeping=ModelKeeping(store, bus, kinds),
                models=Models(store, builder, bus, clock, prices, kinds, embeddings),
                collections=Collections(store),
                deployments=Deployments(
                    store,
                    bus,
                    clock,
                    InstanceLimits(
                        min_instances=settings.deployment_min_instances,
                        max_instances=settings.deployment_max_instances,
                    ),
                    lambda deployment: any(deployment_of(one.queue) == deployment for one in placement.instances()),
                    kinds,
                ),
                predictions=predictions,
                trainings=trainings,
                hooks=hooks,
                uploads=Uploads(
                    store,
                    files,
                    clock,
                    Making(file_id=new_file_id, key=new_signing_key),
                    settings.max_file_bytes,
                    timedelta(seconds=settings.upload_ttl),
                ),
                links=Links(
                    sign_output=signer.sign_output,
                    verify_output=signer.verify_output,
                    stream_path=signer.stream_path,
                    open_stream=signer.open_stream,
                ),
                kinds=kinds,
                reason=scheduler.reason,
                clock=clock,
                limiter=LocalLimiter(time.monotonic),
                rates=rates_of(settings.rate_creates, settings.rate_requests, settings.rate_polls),
                token_rates=rates_of(
                    settings.token_rate_creates, settings.token_rate_requests, settings.token_rate_polls
                ),
                spool=data / "builds",
                output_ttl=timedelta(seconds=settings.output_ttl),
                max_body_bytes=settings.max_body_bytes,
                max_push_bytes=settings.max_push_bytes,
                public_url=settings.public_url,
                borrowed_hosts=STAND_IN_HOSTS if settings.stand_in else (),
                not_ready=running.reasons,
            )
        )
        yield running


async def _embeddings(
    settings: Settings, store: SqliteStore, predictions: Predictions, clock: SystemClock
) -> Embeddings | None:
    """What finds models by meaning, where the settings name an embedding model."""
    if settings.search_embeddings is None:
        return None
    owner, _, name = settings.search_embeddings.partition("/")
    account = await store.get_account(SEARCHER) or await store.create_account(
        SEARCHER, AccountKind.organization, SEARCHER, clock.now(), Role.admin
    )
    return Embeddings(store, predictions, as_caller(account), (owner, name))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    raise RuntimeError("the server has not started")
