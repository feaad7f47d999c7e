"""Real Cog servers for the driver's tests: model folders made ready, started, asked, and what they said."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import orjson
import psutil
import uv

from cogyard.clock import SystemClock
from cogyard.cogfolder.schema import derive_schema, for_serving, for_training, predictor_facts
from cogyard.domain.catalog import BuildConfig, Version
from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Metric, Succeeded
from cogyard.domain.hardware import Share
from cogyard.domain.values import Json, PredictionId, VersionId
from cogyard.ids import new_prediction_id
from cogyard.instances.cog import CogServer, DriverLimits
from cogyard.instances.driver import DriverEvent, Produced
from cogyard.instances.memory import MemoryGroups
from cogyard.ports import Launch, Place
from cogyard.runtime import pins
from cogyard.runtime.environment import Environments
from cogyard.runtime.venv import TRAINING, VenvRuntime
from tests.yard import UV_CACHE

FOLDERS = Path(__file__).parent / "folders"
END = (Succeeded, Failed, Canceled, Interrupted)
LIMITS = DriverLimits(cancel_grace=timedelta(seconds=10), predict_timeout=timedelta(minutes=5), output_bytes=20 * 2**20)


def new_id() -> PredictionId:
    return new_prediction_id(SystemClock().now())


def build_environment(root: Path) -> None:
    """An environment with Cog and nothing else, where `Environments` looks for the digest `cog`.

    `COGYARD_TEST_PYTHON` names another Python than that of the oldest server, since models bring their own.
    """
    uv_command, environment = uv.find_uv_bin(), {**os.environ, "UV_CACHE_DIR": str(UV_CACHE)}
    version = os.environ.get("COGYARD_TEST_PYTHON", "3.11")
    packages = (f"cog=={pins.COG}", f"coglet=={pins.COGLET}")
    python = str(root / "cog" / "bin" / "python")
    subprocess.run([uv_command, "venv", "-q", "--python", version, str(root / "cog")], env=environment, check=True)
    subprocess.run([uv_command, "pip", "install", "-q", "--python", python, *packages], env=environment, check=True)


@dataclass(frozen=True)
class Told:
    """All that a driver said of one prediction."""

    events: list[DriverEvent]

    @property
    def end(self) -> DriverEvent:
        assert isinstance(self.events[-1], END), self.events[-3:]
        return self.events[-1]

    @property
    def error(self) -> str:
        assert isinstance(self.end, Failed), self.end
        return self.end.error

    @property
    def reason(self) -> str:
        assert isinstance(self.end, Interrupted), self.end
        return self.end.reason

    @property
    def produced(self) -> list[Produced]:
        return [event for event in self.events if isinstance(event, Produced)]

    @property
    def items(self) -> list[Json]:
        return [event.value for event in self.produced]

    @property
    def output(self) -> Json:
        """The one whole output of a prediction that succeeded."""
        assert isinstance(self.end, Succeeded), self.end
        assert len(self.produced) == 1, self.produced
        return self.produced[0].value

    @property
    def logs(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Log))

    @property
    def metrics(self) -> list[Metric]:
        return [event for event in self.events if isinstance(event, Metric)]


@dataclass
class Model:
    """A started model."""

    driver: CogServer
    scratch: Path

    async def run(self, model_input: Mapping[str, Json] | None = None, **paths: Path) -> Told:
        """One prediction to its end; `paths` are local files for the inputs of these names."""
        return await self.run_with(dict(model_input or {}), {f"/{name}": path for name, path in paths.items()})

    async def run_with(self, model_input: dict[str, Json], paths: Mapping[str, Path]) -> Told:
        async with aclosing(self.driver.submit(new_id(), model_input, paths)) as events:
            return Told([event async for event in events])

    @property
    def group(self) -> list[psutil.Process]:
        """The leader and everything below it."""
        assert self.driver.process is not None
        leader = psutil.Process(self.driver.process.pid)
        return [leader, *leader.children(recursive=True)]


@dataclass(frozen=True)
class Cogs:
    """Makes model folders startable; all servers share one environment."""

    environments: Path
    work: Path
    variables: dict[str, str] = field(default_factory=dict)
    trainer: str = "predict.py:train"
    share: Share = field(default_factory=Share)
    groups: MemoryGroups | None = None

    def prepared(self, name: str, concurrency: int = 1, *, train: bool = False) -> tuple[VenvRuntime, Version]:
        """What a push does: a copy of the folder, its schema, its version."""
        sources = self.work / "sources"
        folder = sources / (f"{name}{TRAINING}" if train else name)
        reference = "predict.py:predict" if name == "function_style" else "predict.py"
        facts = predictor_facts(FOLDERS / name, reference)
        schema = derive_schema(FOLDERS / name, reference, self.trainer if train else None)
        shutil.copytree(FOLDERS / name, folder, dirs_exist_ok=True)
        (folder / ".cog").mkdir(exist_ok=True)
        (folder / ".cog" / "openapi_schema.json").write_bytes(
            orjson.dumps(for_serving(for_training(schema) if train else schema))
        )
        config = BuildConfig(
            predict=f"predict.py:{facts.name}",
            train=self.trainer if train else None,
            is_async=facts.is_async,
            concurrency=concurrency,
            environment=self.variables,
        )
        version = Version(
            id=VersionId(name),
            created_at=SystemClock().now(),
            cog_version=pins.COG,
            openapi_schema=schema,
            config=config,
            source_digest="",
            environment_digest="cog",
        )
        return VenvRuntime(Environments(self.environments, UV_CACHE, Path(uv.find_uv_bin()), {}), sources, {}), version

    def driver(self, name: str, limits: DriverLimits, concurrency: int = 1, *, train: bool = False) -> Model:
        runtime, version = self.prepared(name, concurrency, train=train)
        scratch = self.work / "scratch"

        def launch(port: int, nonce: str) -> Launch:
            place = Place(scratch=scratch, cache=scratch / "cache", port=port, nonce=nonce, share=self.share)
            return runtime.launch(version, place, train=train)

        return Model(CogServer(launch, scratch, SystemClock(), limits, self.groups), scratch)

    @asynccontextmanager
    async def running(
        self, name: str, concurrency: int = 1, *, train: bool = False, **limits: timedelta | int
    ) -> AsyncIterator[Model]:
        """A model that is set up; it is stopped at the end."""
        model = self.driver(name, replace(LIMITS, **limits), concurrency, train=train)  # type: ignore[arg-type]
        try:
            await model.driver.start(timedelta(seconds=30))
            yield model
        finally:
            await model.driver.stop()
