"""Deployments: an endpoint of one's own over a version, with numbered releases (`api-contract.md` §6)."""

from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.account import Account
from cogyard.domain.catalog import is_for
from cogyard.domain.queue import deployment_queue
from cogyard.domain.values import AccountId, DeploymentId, QueueId, VersionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a deployment ran from `created_at` on; the first has number 1, each change the next."""

    number: int
    #: `owner/name`
    model: str
    version: VersionId
    hardware: str
    min_instances: int
    max_instances: int
    created_at: datetime
    created_by: Account
    #: among those that wait for hardware, who has more of it comes first
    priority: int = 0
    #: why it was made, where nobody asked for it
    note: str | None = None

    def is_same(self, other: "Release") -> bool:
        """Whether both run the same in the same way."""
        return _content(self) == _content(other)

    @property
    def is_disabled(self) -> bool:
        """Both limits 0: nothing runs and new predictions are refused (§6.3)."""
        return self.min_instances == 0 and self.max_instances == 0


def _content(release: Release) -> tuple[str, VersionId, str, int, int, int]:
    limits = (release.min_instances, release.max_instances, release.priority)
    return release.model, release.version, release.hardware, *limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment and its current release."""

    id: DeploymentId
    account: AccountId
    owner: str
    name: str
    created_at: datetime
    current: Release
    #: when its newest prediction was created
    used_at: datetime | None = None
    #: changes with every change of the secrets that it runs with
    secrets_mark: str | None = None

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def queue(self) -> QueueId:
        """Where predictions of the current release wait."""
        return deployment_queue(self.id, self.current.version, self.secrets_mark)


def may_use(caller: Account, deployment: Deployment) -> bool:
    """Whether the deployment exists for the caller: it is its account's alone (§12)."""
    is_theirs = deployment.account == caller.id or caller.is_admin
    return is_theirs and is_for(caller, deployment.current.model)
