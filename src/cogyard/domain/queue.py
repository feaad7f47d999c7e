"""Where predictions wait: a queue belongs to one version, and its instances run that version alone.

Community and official models share one queue for each version, a deployment has its own, trainings theirs. A model with
secrets shares with nobody: another model may have the same version, and must not run with them. Its queues, and those
of a deployment that has secrets, hold a mark that changes with the secrets, so that what is created after a change
runs in new instances.
"""

from cogyard.domain.values import DeploymentId, ModelId, QueueId, VersionId

_MODEL = "model/"
_TRAINING = "training/"
_DEPLOYMENT = "deployment/"


def version_queue(version: VersionId) -> QueueId:
    """The queue of everybody who runs this version of models without secrets."""
    return QueueId(version)


def model_queue(version: VersionId, model: ModelId, mark: str | None) -> QueueId:
    """The queue of everybody who runs this version of the model; `mark` is that of its secrets, if it has some."""
    return version_queue(version) if mark is None else QueueId(f"{_MODEL}{model}.{mark}/{version}")


def training_queue(version: VersionId, model: ModelId | None = None, mark: str | None = None) -> QueueId:
    """The queue of trainings on this version, of the model alone where that has secrets."""
    return QueueId(f"{_TRAINING}{version}" if mark is None else f"{_TRAINING}{model}.{mark}/{version}")


def deployment_queue(deployment: DeploymentId, version: VersionId, mark: str | None = None) -> QueueId:
    """A deployment's own queue; a release with another version begins another one, so that the old one can drain."""
    return QueueId(f"{_DEPLOYMENT}{deployment}{'' if mark is None else '.' + mark}/{version}")


def version_of(queue: QueueId) -> VersionId:
    """The version that the queue's instances run."""
    return VersionId(queue.rpartition("/")[2])


def is_training(queue: QueueId) -> bool:
    """Whether the queue's instances train."""
    return queue.startswith(_TRAINING)


def is_shared(queue: QueueId) -> bool:
    """Whether an idle instance of the queue may be of use to somebody else soon, whatever is wanted now."""
    return "/" not in queue


def model_of(queue: QueueId) -> ModelId | None:
    """The model whose secrets the queue's instances have; None for queues that several models share."""
    kind, _, rest = queue.partition("/")
    if f"{kind}/" not in (_MODEL, _TRAINING) or "/" not in rest:
        return None
    return ModelId(_number(rest))


def mark_of(queue: QueueId) -> str | None:
    """The mark of the secrets that the queue's instances have; None where they have none."""
    owner = queue.rpartition("/")[0].rpartition("/")[2]
    return owner.partition(".")[2] or None


def deployment_of(queue: QueueId) -> DeploymentId | None:
    """The deployment that the queue belongs to."""
    if not queue.startswith(_DEPLOYMENT):
        return None
    return DeploymentId(_number(queue.removeprefix(_DEPLOYMENT)))


def _number(rest: str) -> int:
    return int(rest.partition("/")[0].partition(".")[0])
