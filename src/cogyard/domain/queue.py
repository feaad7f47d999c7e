"""Where predictions wait: a queue belongs to one version, and its instances run that version alone.

Community and official models share one queue for each version, a deployment has its own, trainings theirs.
"""

from cogyard.domain.values import DeploymentId, QueueId, VersionId

_TRAINING = "training/"
_DEPLOYMENT = "deployment/"


def version_queue(version: VersionId) -> QueueId:
    """The queue of everybody who runs this version."""
    return QueueId(version)


def training_queue(version: VersionId) -> QueueId:
    """The queue of trainings on this version."""
    return QueueId(f"{_TRAINING}{version}")


def deployment_queue(deployment: DeploymentId, version: VersionId) -> QueueId:
    """A deployment's own queue; a release with another version begins another one, so that the old one can drain."""
    return QueueId(f"{_DEPLOYMENT}{deployment}/{version}")


def version_of(queue: QueueId) -> VersionId:
    """The version that the queue's instances run."""
    return VersionId(queue.rpartition("/")[2])


def is_training(queue: QueueId) -> bool:
    """Whether the queue's instances train."""
    return queue.startswith(_TRAINING)


def is_shared(queue: QueueId) -> bool:
    """Whether an idle instance of the queue may be of use to somebody else soon."""
    return not queue.startswith((_TRAINING, _DEPLOYMENT))


def deployment_of(queue: QueueId) -> DeploymentId | None:
    """The deployment that the queue belongs to."""
    if not queue.startswith(_DEPLOYMENT):
        return None
    return DeploymentId(int(queue.split("/")[1]))
