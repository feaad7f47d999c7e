"""Makes directors: each with what its instance runs, where, with which weights and secrets."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cogyard.domain.catalog import Version
from cogyard.domain.errors import KeyUnusable, NotFound, SetupFailed
from cogyard.domain.instance import Instance
from cogyard.domain.queue import is_training
from cogyard.domain.values import InstanceId, JsonObject
from cogyard.files import FolderFiles
from cogyard.instances.cog import CogServer, DriverLimits
from cogyard.instances.director import Director
from cogyard.instances.discreet import DiscreetDriver
from cogyard.instances.driver import Driver
from cogyard.instances.memory import MemoryGroups
from cogyard.instances.run import Surroundings
from cogyard.ports import Launch, Place
from cogyard.runtime.venv import VenvRuntime
from cogyard.secrets import Secrets
from cogyard.settings import Settings
from cogyard.store.sqlite import SqliteStore
from cogyard.validation import compile_input


def director_maker(  # noqa: PLR0913 - what every director needs, from all sides
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


def prepare(version: Version, train: bool) -> Callable[[JsonObject], tuple[JsonObject, list[str]]]:
    """What turns a stored input into what the model gets, and the places of the files in it."""
    validator = compile_input(version.openapi_schema, train=train)

    def prepared(given: JsonObject) -> tuple[JsonObject, list[str]]:
        model_input = validator.prepare(given)
        return model_input, validator.file_pointers(model_input)

    return prepared
