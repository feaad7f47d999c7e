"""The composition root: settings in, the objects of this process out. It alone knows both sides of each seam."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from starlette.types import ASGIApp

from cogyard.accounts import Accounts
from cogyard.api.app import create_app
from cogyard.api.wire import Wire, to_bytes
from cogyard.api.yard import CREATES, POLLS, REQUESTS, Links, Yard
from cogyard.audit import Audit
from cogyard.budgets import Budgets
from cogyard.bus import LocalBus
from cogyard.clock import SystemClock
from cogyard.collections import Collections
from cogyard.creation import Admission
from cogyard.deployments import Deployments, InstanceLimits
from cogyard.domain.account import AccountKind, Role
from cogyard.domain.catalog import Version
from cogyard.domain.errors import KeyUnusable, NotFound, SetupFailed
from cogyard.domain.hardware import Gpu
from cogyard.domain.instance import Instance
from cogyard.domain.queue import deployment_of, is_training
from cogyard.domain.usage import Prices
from cogyard.domain.values import InstanceId, JsonObject
from cogyard.domain.webhook import SCHEDULES
from cogyard.embeddings import Embeddings
from cogyard.fetch import AddressPolicy, Fetcher, FetchLimits, Poster
from cogyard.files import FolderFiles
from cogyard.hardware import GIB, HardwareKinds, OwnKind
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
from cogyard.instances.cog import CogServer, DriverLimits
from cogyard.instances.director import Director
from cogyard.instances.discreet import DiscreetDriver
from cogyard.instances.driver import Driver
from cogyard.instances.inputs import InputFiles
from cogyard.instances.memory import MemoryGroups
from cogyard.instances.run import Surroundings
from cogyard.instances.scratch import clean_up_spool, spooled
from cogyard.janitor import Janitor
from cogyard.keeping import ModelKeeping
from cogyard.limits import LocalLimiter
from cogyard.links import LinkSigner
from cogyard.machine import detect
from cogyard.media import content_type_of
from cogyard.meter import Meter
from cogyard.models import Models
from cogyard.overview import Overview
from cogyard.placement.local import LocalPlacement
from cogyard.ports import Launch, Place, Rate
from cogyard.predictions import Predictions
from cogyard.rollout import Rollout
from cogyard.runtime.builder import FolderBuilder
from cogyard.runtime.environment import Environments, find_uv
from cogyard.runtime.venv import VenvRuntime
from cogyard.scheduler import Keeping, Scheduler
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
from cogyard.validation import compile_input
from cogyard.vault import Vault
from cogyard.webhooks import Manner, Webhooks

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
        policy = _policy(settings, lambda: frozenset(ports[one.id] for one in placement.instances() if one.id in ports))
        fetcher = await stack.enter_async_context(_fetcher(settings, policy))
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
            prepare=_prepare,
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
            _director_maker(settings, store, files, secrets, runtime, around, scratch, ports, groups),
            bus,
            clock,
            lambda: new_instance_id(clock.now()),
        )
        stack.push_async_callback(meter.book)  # when the last instances have ended
        stack.push_async_callback(placement.close)
        kinds = await asyncio.to_thread(_kinds, settings)
        scheduler = Scheduler(store, placement, bus, clock, kinds, _keeping(settings))
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
                rates=_rates(settings.rate_creates, settings.rate_requests, settings.rate_polls),
                token_rates=_rates(
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


def _policy(settings: Settings, models_ports: Callable[[], frozenset[int]]) -> AddressPolicy:
    is_local = settings.host in ("127.0.0.1", "::1", "localhost")
    return AddressPolicy(settings.network or ("dev" if is_local else "lan"), models_ports)


def _fetcher(settings: Settings, policy: AddressPolicy) -> Fetcher:
    limits = FetchLimits(max_bytes=settings.max_input_bytes, seconds=settings.input_timeout)
    return Fetcher(policy, limits)


def _kinds(settings: Settings) -> HardwareKinds:
    """The hardware of this machine, as it is found or told. Blocking."""
    told = settings.machine_gpus
    gpus = (
        None
        if told is None
        else [Gpu(index=index, name=gpu.name, memory=int(gpu.memory_gib * GIB)) for index, gpu in enumerate(told)]
    )
    machine = detect(settings.max_instances, cpus=settings.machine_cpus, memory=settings.machine_memory, gpus=gpus)
    own = {
        sku: OwnKind(
            name=kind.name,
            cpus=kind.cpus,
            memory=None if kind.memory_gib is None else int(kind.memory_gib * GIB),
            gpus=kind.gpus,
            gpu_memory=int(kind.gpu_memory_gib * GIB),
        )
        for sku, kind in settings.hardware.items()
    }
    return HardwareKinds(machine, own)


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        official_instances=settings.official_instances,
        idle_timeout=timedelta(seconds=settings.idle_timeout),
        longest_idle=timedelta(seconds=settings.longest_idle),
        turn=timedelta(seconds=settings.turn),
    )


def _rates(creates: int, requests: int, polls: int) -> dict[str, Rate]:
    named = {CREATES: creates, REQUESTS: requests, POLLS: polls}
    return {name: Rate(name, per_minute) for name, per_minute in named.items() if per_minute}


def _director_maker(  # noqa: PLR0913 - what every director needs, from all sides
    settings: Settings,
    store: SqliteStore,
    files: FolderFiles,
    secrets: Secrets,
    runtime: VenvRuntime,
    around: Surroundings,
    scratch: Path,
    ports: dict[InstanceId, int],
    groups: MemoryGroups | None,
) -> Callable[[Instance], Awaitable[Director]]:
    """What makes directors; the ports of their Cog servers are noted in `ports`."""
    predicting = DriverLimits(
        cancel_grace=timedelta(seconds=settings.cancel_grace),
        predict_timeout=timedelta(seconds=settings.predict_timeout),
        output_bytes=settings.max_output_bytes,
    )
    training = replace(predicting, predict_timeout=timedelta(seconds=settings.train_timeout))

    async def make(instance: Instance) -> Director:
        version = await store.get_version(instance.version)
        if version is None:
            raise NotFound(f"version {instance.version} is not in the store")
        place, train = scratch / instance.id, is_training(instance.queue)
        cache = settings.data.absolute() / "cache" / "weights" / version.id
        weights = await _weights(store, files, version, place)
        found, fault = await _open_secrets(secrets, instance)

        def launch(port: int, nonce: str) -> Launch:
            if fault is not None:
                raise fault
            ports[instance.id] = port
            return runtime.launch(
                version,
                Place(scratch=place, cache=cache, port=port, nonce=nonce, share=instance.share),
                train=train,
                weights=weights,
                secrets=found,
            )

        driver: Driver = CogServer(launch, place, around.clock, training if train else predicting, groups)
        secret_inputs = compile_input(version.openapi_schema, train=train).secret_names
        if found or secret_inputs:
            driver = DiscreetDriver(driver, list(found.values()), secret_inputs)
        slots = 1 if train else version.config.concurrency
        return Director(replace(instance, slots=slots), version, driver, place, around)

    return make


async def _open_secrets(secrets: Secrets, instance: Instance) -> tuple[Mapping[str, str], SetupFailed | None]:
    """What the instance is to find in its environment, or why its setup fails: not the server, and no other model."""
    try:
        return await secrets.open_for(instance.queue), None
    except KeyUnusable as fault:
        return {}, SetupFailed(str(fault))


async def _weights(store: SqliteStore, files: FolderFiles, version: Version, place: Path) -> Path | None:
    """The weights of a trained version under their own name, in the instance's folder."""
    if version.config.weights is None:
        return None
    record = await store.get_file(version.config.weights)
    stored = await files.local_path(version.config.weights) if record is not None else None
    if record is None or stored is None:
        raise NotFound(f"the weights of version {version.id} are gone")
    link = place / "weights" / record.name
    await asyncio.to_thread(link.parent.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(link.symlink_to, stored)
    return link


def _prepare(version: Version, train: bool) -> Callable[[JsonObject], tuple[JsonObject, list[str]]]:
    """What turns a stored input into what the model gets, and the places of the files in it."""
    validator = compile_input(version.openapi_schema, train=train)

    def prepare(given: JsonObject) -> tuple[JsonObject, list[str]]:
        model_input = validator.prepare(given)
        return model_input, validator.file_pointers(model_input)

    return prepare


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    raise RuntimeError("the server has not started")
