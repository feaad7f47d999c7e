"""Makes a version of a pushed folder: unpack, read, describe, build the environment, give it its name."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson

from cogyard.cogfolder.cogyaml import FILE, CogYaml, read_cog_yaml
from cogyard.cogfolder.metadata import read_metadata, read_readme
from cogyard.cogfolder.pack import source_digest, unpack
from cogyard.cogfolder.schema import (
    NeedsImport,
    SchemaError,
    check_schema,
    derive_schema,
    derive_schema_by_import,
    for_serving,
    for_training,
    predictor_facts,
)
from cogyard.domain.batching import Batch
from cogyard.domain.catalog import BuildConfig, Version, component
from cogyard.domain.errors import BuildFailed, StorageFull
from cogyard.domain.values import FileId, JsonObject, VersionId
from cogyard.ports import BuildLine, Built, Packed
from cogyard.runtime.batches import check_batch
from cogyard.runtime.bytecode import compile_bytecode
from cogyard.runtime.environment import Environments, Report
from cogyard.runtime.requirements import Requirements, requirements_of
from cogyard.runtime.system_packages import check_system_packages
from cogyard.runtime.venv import TRAINING, WRAPPER

SERVED_SCHEMA = Path(".cog") / "openapi_schema.json"
"""Where the Cog server looks for the schema, relative to the model's folder."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What an unpacked folder says, before anything is built; no `schema` yet where only importing tells."""

    cog_yaml: CogYaml
    requirements: Requirements
    config: BuildConfig
    schema: JsonObject | None
    reason: str


class FolderBuilder:
    """Implements `ports.Builder`.

    Sources of versions stand below `sources`, what their instances fetched and share below `caches`, work in progress
    below `work`.
    """

    def __init__(self, environments: Environments, sources: Path, work: Path, caches: Path) -> None:
        self._environments = environments
        self._sources = sources
        self._work = work
        self._caches = caches
        self._keeping = asyncio.Lock()

    async def clean_up(self) -> None:
        """Remove what an earlier server left unfinished."""
        await asyncio.to_thread(self._clean_up)

    def _clean_up(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        for folder in (self._work, self._sources):
            folder.mkdir(parents=True, exist_ok=True)
        self._environments.clean_up()

    async def build(self, packed: Packed, report: Callable[[BuildLine], Awaitable[None]]) -> Built:
        """See `ports.Builder`."""
        work = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._work))
        try:
            return await self._build(packed, work / "source", report)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("There is no space left on the server's disk to build this model.") from error
            raise
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, work, ignore_errors=True))

    async def _build(self, packed: Packed, folder: Path, report: Report) -> Built:
        await report(BuildLine("source", "unpacking the folder"))
        await asyncio.to_thread(unpack, packed.archive, folder)
        digest = await asyncio.to_thread(source_digest, folder)
        read = await asyncio.to_thread(_read, folder, packed.batch)
        for warning in [*read.cog_yaml.warnings, *read.requirements.warnings]:
            await report(BuildLine("source", f"warning: {warning}"))
        await report(BuildLine("schema", read.reason))
        async with self._environments.hold(read.requirements, folder, report):
            schema = read.schema or await self._import_schema(folder, read)
            config = _with_batch(read, packed.batch, schema)
            version = _version_id(digest, read.requirements.digest, schema, packed.batch)
            if not (self._sources / version).exists():
                await compile_bytecode(self._environments.python(read.requirements.digest), [folder, WRAPPER.parent])
            async with self._keeping:  # the same folder may be pushed twice at once
                await asyncio.to_thread(self._keep, folder, version, schema)
        await report(BuildLine("version", f"version {version[:12]} is built"))
        kept = self._sources / version
        return Built(
            version=version,
            cog_version=read.requirements.cog,
            openapi_schema=schema,
            config=config,
            source_digest=digest,
            environment_digest=read.requirements.digest,
            readme=await asyncio.to_thread(read_readme, kept),
            metadata=await asyncio.to_thread(read_metadata, kept),
        )

    async def _import_schema(self, folder: Path, read: _Read) -> JsonObject:
        python = self._environments.python(read.requirements.digest)
        try:
            return await asyncio.to_thread(
                derive_schema_by_import, folder, python, read.config.predict, read.config.train
            )
        except SchemaError as error:
            raise BuildFailed(str(error)) from None

    def _keep(self, folder: Path, version: VersionId, schema: JsonObject) -> None:
        """Give the source its place, whole or not at all."""
        place = self._sources / version
        if place.exists():
            return
        served = folder / SERVED_SCHEMA
        served.parent.mkdir(exist_ok=True)
        served.write_bytes(orjson.dumps(for_serving(schema)))
        if component(schema, "TrainingInput"):
            self._keep_training(folder, version, schema)
        folder.rename(place)

    def _keep_training(self, folder: Path, version: VersionId, schema: JsonObject) -> None:
        """The folder once more for trainings: there the Cog server checks the training's input as `Input`."""
        made = folder.with_name(folder.name + TRAINING)
        shutil.copytree(folder, made, copy_function=os.link, symlinks=True)
        (made / SERVED_SCHEMA).unlink()
        (made / SERVED_SCHEMA).write_bytes(orjson.dumps(for_serving(for_training(schema))))
        place = self._sources / f"{version}{TRAINING}"
        shutil.rmtree(place, ignore_errors=True)  # of a build that was cut off here
        made.rename(place)

    async def with_weights(self, base: Version, version: VersionId, weights: FileId, at: datetime) -> Version:
        """See `ports.Builder`: the same source, by hard links, so that neither version depends on the other."""
        await asyncio.to_thread(self._copy_source, base.id, version)
        config = replace(base.config, weights=weights)
        return replace(base, id=version, created_at=at, config=config)

    def _copy_source(self, base: VersionId, version: VersionId) -> None:
        for suffix in (TRAINING, ""):
            source, place = self._sources / f"{base}{suffix}", self._sources / f"{version}{suffix}"
            if place.exists() or not source.exists():
                continue
            with tempfile.TemporaryDirectory(dir=self._work) as work:
                made = Path(work) / "source"
                shutil.copytree(source, made, copy_function=os.link, symlinks=True)
                made.rename(place)

    async def discard(self, version: VersionId) -> None:
        """See `ports.Builder`. Its environment stays: others may use it, and it costs nothing that is not shared."""
        for suffix in ("", TRAINING):
            await asyncio.to_thread(shutil.rmtree, self._sources / f"{version}{suffix}", ignore_errors=True)
        await asyncio.to_thread(shutil.rmtree, self._caches / version, ignore_errors=True)


def _read(folder: Path, batch: Batch | None) -> _Read:
    """Everything that can be known, and be wrong, before the slow part. Blocking. Raises `BuildFailed`."""
    cog_yaml = read_cog_yaml(folder)
    if cog_yaml.predict is None:
        raise BuildFailed(f"{FILE}: nothing says what to run.")
    requirements = requirements_of(folder, cog_yaml)
    check_system_packages(cog_yaml.system_packages)
    read_metadata(folder)
    try:
        facts = predictor_facts(folder, cog_yaml.predict)
        schema, reason = _static_schema(folder, cog_yaml)
    except SchemaError as error:
        raise BuildFailed(str(error)) from None
    except NeedsImport as needed:
        raise BuildFailed(
            f"{needed}. Cogyard reads the predictor's class from its source; define run() or predict() in this folder."
        ) from None
    concurrency = cog_yaml.max_concurrency or facts.max_concurrency or 1
    if concurrency > 1 and not facts.is_async:
        raise BuildFailed(
            f"{FILE}: concurrency.max is {concurrency}, which needs an async predict(); make it async, or leave it out."
        )
    config = BuildConfig(
        predict=cog_yaml.predict,
        train=cog_yaml.train,
        concurrency=concurrency,
        environment=cog_yaml.environment,
        is_async=facts.is_async,
        gpu=cog_yaml.gpu,
    )
    read = _Read(cog_yaml, requirements, config, schema, reason)
    if schema is not None:
        _with_batch(read, batch, schema)
    return read


def _with_batch(read: _Read, pushed: Batch | None, schema: JsonObject) -> BuildConfig:
    """The configuration with what the push or else the folder declares. Raises `BuildFailed`."""
    declared, line = read.cog_yaml.batch, read.cog_yaml.batch_line
    if pushed is not None:
        return replace(read.config, batch=check_batch(pushed, "the push's batch", schema))
    if declared is None:
        return read.config
    return replace(read.config, batch=check_batch(declared, f"{FILE}:{line}", schema))


def _static_schema(folder: Path, cog_yaml: CogYaml) -> tuple[JsonObject | None, str]:
    supplied = folder / "openapi.json"
    if supplied.is_file():
        try:
            return check_schema(json.loads(supplied.read_bytes())), "using the schema in openapi.json"
        except (ValueError, RecursionError) as error:
            raise SchemaError("openapi.json", None, f"is not valid JSON: {error}.") from None
    try:
        return derive_schema(folder, cog_yaml.predict, cog_yaml.train), "derived the schema from the source"
    except NeedsImport as needed:
        return None, f"the schema will be derived by importing the model: {needed}"


def _version_id(source: str, environment: str, schema: JsonObject, batch: Batch | None) -> VersionId:
    content: dict[str, object] = {"source": source, "environment": environment, "schema": schema}
    if batch is not None:  # one that the folder declares is part of the source
        content["batch"] = asdict(batch)
    try:
        return VersionId(hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest())
    except orjson.JSONEncodeError as error:
        raise BuildFailed(f"The model's schema, with its defaults, cannot be told in JSON: {error}.") from None
