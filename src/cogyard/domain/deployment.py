"""Deployments: an endpoint of one's own over a version, with numbered releases (`api-contract.md` §6)."""

from dataclasses import dataclass
from datetime import datetime

from cogyard.domain.account import Account
from cogyard.domain.catalog import is_for
from cogyard.domain.errors import Disabled
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
    """A deployment and its current release.

    While the instances of a new version are set up, `former` still serves: new predictions run on it.
    """

    id: DeploymentId
    account: AccountId
    owner: str
    name: str
    created_at: datetime
    current: Release
    #: what new predictions run on until the current release is set up; None when they run on that
    former: Release | None = None
    #: when its newest prediction was created
    used_at: datetime | None = None
    #: changes with every change of the secrets that it runs with
    secrets_mark: str | None = None

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    @property
    def serving(self) -> Release:
        """What new predictions run on."""
        return self.former or self.current

    @property
    def queue(self) -> QueueId:
        """Where new predictions wait."""
        return self.queue_of(self.serving)

    @property
    def next_queue(self) -> QueueId:
        """Where predictions of the current release wait, or will wait once it serves."""
        return self.queue_of(self.current)

    def queue_of(self, release: Release) -> QueueId:
        """Where predictions of a release wait."""
        return deployment_queue(self.id, release.version, self.secrets_mark)


def disabled(full_name: str) -> Disabled:
    """The refusal of a prediction on a deployment that is disabled."""
    return Disabled(f"{full_name} is disabled: set its max_instances to 1 or more to use it.")


def may_use(caller: Account, deployment: Deployment) -> bool:
    """Whether the deployment exists for the caller: it is its account's alone (§12)."""
    is_theirs = deployment.account == caller.id or caller.is_admin
    return is_theirs and is_for(caller, deployment.current.model)
