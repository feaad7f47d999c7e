"""Every setting, once: name, type, default, unit, help. Flags, `COGYARD_*` and the TOML file derive from it.

A flag wins over the environment, the environment over `cogyard.toml` in the data folder, that over the default.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from cogyard.hardware import WORDS
from cogyard.settings_paths import default_data_folder

MOST = 2**53
"""Most that any number may be: more is a slip of the pen, and JSON in many languages cannot tell it."""

MOST_SECONDS = 10**9
"""Most seconds that anything may take, 31 years: no time that is counted from now leaves the calendar."""

MOST_PRICE = 1000
"""Most that a second may cost: more is a slip of the pen."""

MOST_CPUS, MOST_GIB, MOST_GPUS = 2**16, 2**20, 1024
"""Most that one machine has."""


_SKU = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_EXAMPLES = {
    "hardware_prices": 'object such as {"cpu": "0.0001"}',
    "hardware": 'object such as {"cpu-big": {"cpus": 8, "memory_gib": 32}}',
    "machine_gpus": 'list such as [{"name": "RTX 4090", "memory_gib": 24}]',
}
_NOTHING = {"machine_gpus": "[]"}


def _check_name(name: str) -> str:
    if not name.isprintable() or not 0 < len(name) <= 100:
        raise ValueError("write a name in one line, of up to 100 characters")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
"""What people read, in a line of a table."""


class KindSetting(BaseModel):
    """A kind of hardware of one's own; what is left out is as `cpu` has it. Sizes in GiB."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name | None = None
    cpus: int | None = Field(None, ge=1, le=MOST_CPUS)
    memory_gib: float | None = Field(None, ge=0.01, le=MOST_GIB)
    gpus: int = Field(0, ge=0, le=MOST_GPUS)
    gpu_memory_gib: float = Field(0, ge=0, le=MOST_GIB)


class GpuSetting(BaseModel):
    """A GPU as it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = "GPU"
    memory_gib: float = Field(ge=0.01, le=MOST_GIB)


class Settings(BaseSettings):
    """What the server can be told. Durations are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="COGYARD_", extra="ignore", frozen=True)

    data: Path = Field(default_factory=default_data_folder, description="Folder for everything that is kept.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5050, ge=0, le=65535, description="Port for plain HTTP; 0 picks a free one.")
    tls_port: int | None = Field(
        None, ge=0, le=65535, description="Port for HTTPS; by default 393 above the HTTP port (5443), or a free one."
    )
    tls: bool = Field(True, description="Serve HTTPS too, with a certificate of a local authority.")
    stand_in: bool = Field(
        False, description="Answer as api.replicate.com too, to programs of this machine under `cogyard stand-in`."
    )
    stand_in_port: int = Field(
        443, ge=1, le=65535, description="Loopback port for that; unmodified programs look at 443 only."
    )
    token: str | None = Field(None, min_length=1, description="The first admin's API token; made up when unset.")
    owner: str = Field("cogyard", description="The first admin's username, which owns the starter models.")
    secrets_key_file: Path | None = Field(
        None, description="File of the key that seals secrets; by default secrets.key in the data folder, made at need."
    )
    public_url: str | None = Field(
        None, description="Address that answers name in their URLs; by default the one that the client used."
    )
    network: Literal["dev", "lan", "public"] | None = Field(
        None, description="Which addresses file inputs may name: dev while listening on loopback, else lan."
    )
    max_instances: int = Field(4, ge=1, description="Cog servers that may live at once.")
    machine_cpus: int | None = Field(None, ge=1, description="Processors for models; by default those that there are.")
    machine_memory: int | None = Field(
        None, ge=2**20, description="Bytes of memory for models; by default 95 % of what there is."
    )
    machine_gpus: Annotated[tuple[GpuSetting, ...] | None, NoDecode] = Field(
        None,
        description='GPUs for models, as JSON: [{"name": "RTX 4090", "memory_gib": 24}]; by default those that '
        "nvidia-smi tells of.",
    )
    hardware: Annotated[dict[str, KindSetting], NoDecode] = Field(
        default_factory=dict,
        description='More kinds of hardware, as JSON: {"cpu-big": {"cpus": 8, "memory_gib": 32}, "gpu-half": '
        '{"gpus": 1, "gpu_memory_gib": 12}}.',
    )
    idle_timeout: float = Field(300.0, ge=0, description="Seconds after which an idle instance stops.")
    longest_idle: float | None = Field(
        None,
        ge=0,
        description="Seconds up to which a model's own arrivals may lengthen that, once some are known; by default six "
        "times as long.",
    )
    turn: float = Field(
        15.0, gt=0, description="Seconds that instances may be busy while another model has none and waits."
    )
    max_queue: int = Field(20000, ge=1, description="Predictions that may wait for one model or deployment.")
    setup_timeout: float = Field(600.0, gt=0, description="Seconds that a model's setup may take.")
    predict_timeout: float = Field(1800.0, gt=0, description="Seconds that one prediction may run.")
    cancel_grace: float = Field(
        10.0, ge=0, description="Seconds that a model has to obey a cancel before it is killed."
    )
    stop_grace: float = Field(10.0, ge=0, description="Seconds that running predictions get when the server stops.")
    train_timeout: float = Field(86400.0, gt=0, description="Seconds that one training may run.")
    official_instances: int = Field(
        1, ge=0, description="Instances of each official model that are kept warm, as long as there is room."
    )
    deployment_min_instances: int = Field(5, ge=0, description="Most that a deployment may keep warm.")
    deployment_max_instances: int = Field(20, ge=1, description="Most instances that a deployment may grow to.")
    community_by_name: bool = Field(
        False, description="Let owner/name without a version run community models too, not only official ones."
    )
    search_embeddings: str | None = Field(
        None,
        pattern=r"^[^/:\s]+/[^/:\s]+$",
        description="owner/name of an embedding model that searches use to find by meaning too; none by default.",
    )
    retention: float = Field(
        3600.0, ge=0, description="Seconds that inputs, outputs and logs of ended predictions are kept; 0 for ever."
    )
    webhook_retries: Literal["replicate", "long"] = Field(
        "replicate", description="When an undelivered terminal webhook is tried again: for a minute, or for a day."
    )
    webhook_timeout: float = Field(5.0, gt=0, description="Seconds that a webhook's receiver may take.")
    rate_creates: int = Field(600, ge=0, description="Predictions that an account may create in a minute; 0 for any.")
    rate_requests: int = Field(
        3000, ge=0, description="Other requests that an account may make in a minute; 0 for any."
    )
    rate_polls: int = Field(
        60000, ge=0, description="Times that an account may get a prediction in a minute; 0 for any."
    )
    token_rate_creates: int = Field(600, ge=0, description="The same for each of an account's tokens; 0 for any.")
    token_rate_requests: int = Field(3000, ge=0, description="The same for each of an account's tokens; 0 for any.")
    token_rate_polls: int = Field(60000, ge=0, description="The same for each of an account's tokens; 0 for any.")
    output_ttl: float = Field(3600.0, gt=0, description="Seconds that an output file's URL works.")
    upload_ttl: float = Field(86400.0, gt=0, description="Seconds that an uploaded file is kept.")
    max_body_bytes: int = Field(16 * 2**20, ge=1024, description="Largest JSON body.")
    max_file_bytes: int = Field(100 * 2**20, ge=1, description="Largest uploaded file.")
    max_input_bytes: int = Field(2 * 2**30, ge=1, description="Largest file that is fetched for one input.")
    input_timeout: float = Field(300.0, gt=0, description="Seconds that fetching one input file may take.")
    max_output_bytes: int = Field(64 * 2**20, ge=1, description="Largest output of one prediction, files not counted.")
    max_push_bytes: int = Field(4 * 2**30, ge=1, description="Largest packed folder that can be pushed.")
    currency: str = Field(
        "USD", pattern=r"^[A-Z]{3}$", description="The currency of all prices and budgets; three letters."
    )
    hardware_prices: Annotated[dict[str, Decimal], NoDecode] = Field(
        default_factory=dict,
        description='What a second on each kind of hardware costs, as JSON: {"cpu": "0.0001"}; others are free.',
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What the server logs.")

    @field_validator("hardware_prices", "hardware", "machine_gpus", mode="before")
    @classmethod
    def _parse_json(cls, given: object, info: ValidationInfo) -> object:
        """From the text of a flag or variable; numbers as they are written."""
        if not isinstance(given, str):
            return given
        name = str(info.field_name)
        kind = type(json.loads(_NOTHING.get(name, "{}")))
        try:
            found = json.loads(given or _NOTHING.get(name, "{}"), parse_float=Decimal)
        except ValueError:
            found = given
        if not isinstance(found, kind):
            raise ValueError(f"write a JSON {_EXAMPLES[name]}")  # noqa: TRY004 - pydantic tells these
        return found

    @field_validator("*")
    @classmethod
    def _check_size(cls, value: object) -> object:
        """No number is larger than what can be counted with; those with a fraction are seconds, all of them."""
        most = MOST_SECONDS if isinstance(value, float) else MOST
        if isinstance(value, int | float) and value > most:
            raise ValueError(f"write a number up to {most}")
        return value

    @field_validator("hardware")
    @classmethod
    def _check_kinds(cls, kinds: dict[str, KindSetting]) -> dict[str, KindSetting]:
        """Every SKU is one that a URL and a line of text can hold."""
        for sku, kind in kinds.items():
            if not _SKU.fullmatch(sku):
                raise ValueError(f"{sku!r} is no name for hardware: use small letters, digits, '.', '_' and '-'")
            if kind.gpu_memory_gib and not kind.gpus:
                raise ValueError(f'{sku} has gpu_memory_gib, but no GPU: write "gpus": 1 too')
        return kinds

    @field_validator("hardware_prices")
    @classmethod
    def _check_prices(cls, prices: dict[str, Decimal], info: ValidationInfo) -> dict[str, Decimal]:
        """Every SKU is one of ours, and every price one that can be charged."""
        skus = [*WORDS, *info.data.get("hardware", {})]
        for sku, price in prices.items():
            if sku not in skus:
                raise ValueError(f"{sku} is no hardware of this yard; choose from {', '.join(skus)}")
            if not price.is_finite() or not 0 <= price <= MOST_PRICE:
                raise ValueError(f"the price of {sku} must be a number from 0 to {MOST_PRICE}, not {price}")
        return prices

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file of the data folder that those two name."""
        named = {**env_settings(), **init_settings()}
        folder = Path(str(named.get("data") or default_data_folder()))
        toml = TomlConfigSettingsSource(settings_cls, toml_file=folder / "cogyard.toml")
        return init_settings, env_settings, toml
