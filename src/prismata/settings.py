"""Every `PRISMATA_*` knob in one typed place; the only file that reads the environment.

Order of precedence: environment variable, then `prismata.toml` in the working directory, then the
default below.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from prismata.core.errors import InvalidInputError
from prismata.core.jobs import ResourceClass

CONFIG_FILE = "prismata.toml"

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
"""Names of this machine that nobody else can reach."""
_SDK_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Settings(BaseSettings):
    """All knobs; each field's description is its help text."""

    model_config = SettingsConfigDict(
        env_prefix="PRISMATA_", toml_file=CONFIG_FILE, extra="forbid", frozen=True
    )

    data_dir: Path = Field(
        Path("data"), description="Folder for the local storage, the SQLite catalog and caches."
    )
    storage_backend: Literal["local", "s3", "memory"] = Field(
        "local", description="Where videos, labels and models live."
    )
    s3_bucket: str = Field("", description="Bucket for the s3 backend.")
    s3_prefix: str = Field("", description="Key prefix inside the bucket, for example `team-a/`.")
    s3_endpoint_url: str = Field("", description="Endpoint of an S3-compatible store; empty = AWS.")
    s3_region: str = Field("", description="Region of the bucket; empty = the SDK's default.")
    cache_max_gb: float = Field(20.0, gt=0, description="Bound of the local caches in gigabytes.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="SQLAlchemy URL of the catalog; empty = SQLite in the data folder.",
    )
    domains_dirs: str = Field(
        "domains",
        description=f"Folders that hold domain plugins, separated by {os.pathsep!r}.",
    )
    weights_dir: Path | None = Field(None, description="Folder with pretrained encoder weights.")
    user: str = Field("", description="Author of annotations; empty = the login name.")
    host: str = Field("127.0.0.1", description="Address the workbench listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port the workbench listens on.")
    public_url: str = Field(
        "",
        description="Address at which people reach the workbench, such as "
        "https://prismata.example.com; requests for other hosts are refused. Empty = any host, or "
        "this machine's names while it listens to this machine only.",
    )
    login: Literal["none", "oidc"] = Field(
        "none",
        description="oidc = people sign in with an OpenID Connect provider and have roles; none = "
        "whoever reaches the address may do everything.",
    )
    oidc_metadata_url: str = Field(
        "",
        description="Where the provider describes itself: an address that ends in "
        "/.well-known/openid-configuration.",
    )
    oidc_client_id: str = Field("", description="Name of the workbench at the provider.")
    oidc_client_secret: SecretStr = Field(
        SecretStr(""), description="Password of the workbench at the provider."
    )
    login_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs who is signed in; at least 32 random characters. Empty = new at each "
        "start, after which everybody signs in again.",
    )
    admins: str = Field(
        "",
        description="Who is an administrator whatever the catalog says: names as the provider "
        "tells them (e-mail addresses), separated by commas.",
    )
    newcomer_role: Literal["none", "viewer", "annotator", "engineer"] = Field(
        "none", description="Role of who signs in and was given none; none = they wait for one."
    )
    permission_seconds: int = Field(
        24 * 60 * 60,
        ge=1,
        description="How long what a page hands its player (the address of a video, the permission "
        "to save labels) is good; open pages ask for new ones by themselves.",
    )
    requests_per_minute: int = Field(
        6000,
        ge=0,
        description="Requests that one person, or one address of nobody known, may send where "
        "people sign in; 0 = any number.",
    )
    detect_threads: int = Field(0, ge=0, description="Inference threads; 0 = number of cores.")
    detect_runtime: Literal["auto", "onnxruntime", "openvino", "pytorch"] = Field(
        "auto", description="What runs models; auto = the fastest that is installed and allowed."
    )
    detect_precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "auto",
        description="Arithmetic of the encoder; auto = int8 where the card allows it, else fp32.",
    )
    machine_profile: Literal["auto", "normal", "small"] = Field(
        "auto", description="small = least memory for detection; auto = small up to 3 GB."
    )
    feature_cache_gb: float = Field(
        5.0, ge=0, description="Bound of the cache of encoded frames in gigabytes; 0 = no cache."
    )
    dispatcher: Literal["local", "celery", "none"] = Field(
        "local",
        description="Who runs jobs that the workbench starts: local = the workbench itself; celery "
        "= workers that hear of them over a broker; none = workers that look by themselves.",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Broker for celery: redis://host:6379/0, amqp://host or sqs:// (which takes "
        "`celery[sqs]`).",
    )
    worker_cpu_slots: int = Field(
        1, ge=0, description="Detections and trainings on the processor at once in one worker."
    )
    worker_gpu_slots: int = Field(
        0, ge=0, description="Trainings on the GPU at once in one worker; 0 = it takes none."
    )
    worker_io_slots: int = Field(
        2, ge=0, description="Preparations of videos at once in one worker."
    )
    worker_idle_seconds: float = Field(
        0.0, ge=0, description="`prismata worker` ends after so long without a job; 0 = never."
    )
    spot: Literal["none", "aws"] = Field(
        "none", description="Whose notice that this machine is to be taken away a worker heeds."
    )
    spot_metadata_url: str = Field(
        "http://169.254.169.254", description="Where that notice is given."
    )
    train_on: Literal["cpu", "gpu"] = Field(
        "cpu", description="Which workers take trainings: those with cpu or those with gpu slots."
    )
    train_processes: str = Field(
        "auto",
        description="Processes that share the steps of one training on one machine: auto = as many "
        "as there are GPUs, or a number.",
    )
    upload_max_gb: float = Field(
        0.0, ge=0, description="Largest file that pages take, in gigabytes; 0 = what the disk has."
    )
    upload_max_hours: float = Field(
        0.0, ge=0, description="Longest video that pages take, in hours; 0 = any."
    )
    page_sources: str = Field(
        "",
        description="Where pages may take videos from: folders of this machine and s3:// prefixes, "
        "separated by commas; empty = anywhere while the workbench listens to this machine only, "
        "has no login and no public address; nowhere otherwise.",
    )
    child_memory_mb: int = Field(
        0, ge=0, description="Address-space limit of a detection child in MB; 0 = none."
    )
    stall_seconds: float = Field(
        120.0, gt=0, description="A child that reports no progress for this long is stopped."
    )
    webhook_url: SecretStr = Field(
        SecretStr(""),
        description="http or https address that is told, by a POST with JSON, when a detection or "
        "training has ended; empty = none.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs these messages: header `X-Prismata-Signature`, HMAC-SHA256 of the body.",
    )
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token with which `/api/metrics` is read; empty = only programs on this "
        "machine may.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="What is logged to standard error."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How: lines for people, or one JSON object a line."
    )

    @field_validator("train_processes", mode="before")
    @classmethod
    def _check_processes(cls, value: object) -> str:
        """Take `auto`, or a number from 1, as a word or as a number."""
        word = str(value)
        if word != "auto" and not (word.isascii() and word.isdigit() and int(word) >= 1):
            raise ValueError(f"must be auto or a whole number from 1, not {word!r}")
        return word

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        """Take scheme and host, or nothing; without a slash at the end."""
        if value and not re.fullmatch(r"https?://[^/\s@?#]+/?", value):
            raise ValueError("must be like https://prismata.example.com, without a path")
        return value.rstrip("/")

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook(cls, value: SecretStr) -> SecretStr:
        """Take an address of the web, or nothing; the message never repeats it."""
        url = value.get_secret_value()
        if url and not re.match(r"https?://[^/\s]", url):
            raise ValueError("must be an http:// or https:// address")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the configuration file below the environment; no `.env`, no secrets folder."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def to_request(self) -> dict[str, Any]:
        """Return all values, secrets included, for a child's request (a pipe, never a log).

        `Settings(**request)` means the same again, whatever the child's environment and folder.
        """
        values = self.model_dump(mode="json")
        values["data_dir"] = str(self.data_dir.resolve())
        values["domains_dirs"] = os.pathsep.join(
            str(path.resolve()) for path in self.domain_folders
        )
        if self.weights_dir is not None:
            values["weights_dir"] = str(self.weights_dir.resolve())
        for name in ("database_url", "broker_url"):
            values[name] = getattr(self, name).get_secret_value()
        values["dispatcher"] = "none"  # a child starts no jobs of its own
        values["webhook_url"] = values["webhook_secret"] = ""  # and tells nobody of their end
        values["login"], values["oidc_client_secret"], values["login_secret"] = "none", "", ""
        values["metrics_token"] = ""
        return values

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not be seen in a log, as it stands here and as it is meant."""
        held = [
            value.get_secret_value()
            for value in (
                self.webhook_url,
                self.webhook_secret,
                self.metrics_token,
                self.oidc_client_secret,
                self.login_secret,
            )
        ]
        for url in (self.database_url, self.broker_url):
            with suppress(ValueError):  # no address at all; who opens it says so
                password = urlsplit(url.get_secret_value()).password or ""
                held += [password, unquote(password)]
        # Set for the SDK and not for us, and logged by nobody who means to.
        held += [os.environ.get(name, "") for name in _SDK_SECRETS]
        return tuple(secret for secret in held if secret)

    @property
    def storage_dir(self) -> Path:
        """Root of the local storage backend."""
        return self.data_dir / "storage"

    @property
    def cache_dir(self) -> Path:
        """Feature cache and local copies; safe to delete."""
        return self.data_dir / "cache"

    @property
    def feature_cache_bytes(self) -> int:
        """Bound of the cache of encoded frames, shared by training and detection; 0 = no cache."""
        return int(self.feature_cache_gb * 10**9)

    @property
    def catalog_url(self) -> str:
        """The catalog's SQLAlchemy URL, the default filled in."""
        chosen = self.database_url.get_secret_value()
        return chosen or f"sqlite:///{(self.data_dir / 'prismata.db').resolve()}"

    @property
    def worker_slots(self) -> dict[ResourceClass, int]:
        """How many jobs of each class one worker runs at once."""
        return {
            ResourceClass.CPU: self.worker_cpu_slots,
            ResourceClass.GPU: self.worker_gpu_slots,
            ResourceClass.IO: self.worker_io_slots,
        }

    @property
    def admin_names(self) -> frozenset[str]:
        """Who is an administrator whatever the catalog says."""
        return frozenset(name.strip() for name in self.admins.split(",") if name.strip())

    @property
    def is_local_only(self) -> bool:
        """Whether the workbench listens to this machine only."""
        return self.host in LOOPBACK_HOSTS

    @property
    def domain_folders(self) -> tuple[Path, ...]:
        """Folders searched for domain plugins."""
        return tuple(Path(part) for part in self.domains_dirs.split(os.pathsep) if part)

    @property
    def author(self) -> str:
        """Name stored with what this user does."""
        return self.user or os.environ.get("USER") or "unknown"


def load_settings() -> Settings:
    """Read environment and configuration file.

    Raises:
        InvalidInputError: If a value cannot be used or a variable or key is unknown.
    """
    try:
        settings = Settings()
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(
            f"{CONFIG_FILE} in this folder is not TOML: {error}; correct that line"
        ) from error
    except ValidationError as error:
        problems = "; ".join(
            f"PRISMATA_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
            for item in error.errors()
        )
        raise InvalidInputError(f"the configuration cannot be used: {problems}") from error
    known = {f"PRISMATA_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith("PRISMATA_")
        and name not in known
        and not name.startswith("PRISMATA_TEST")
    )
    if unknown:
        raise InvalidInputError(
            f"{unknown[0]} is set, but there is no such setting; known are "
            f"{', '.join(sorted(known))}"
        )
    return settings
