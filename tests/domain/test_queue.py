"""What the name of a queue tells."""

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.queue import (
    deployment_of,
    deployment_queue,
    is_shared,
    is_training,
    model_of,
    model_queue,
    training_queue,
    version_of,
    version_queue,
)
from cogyard.domain.values import DeploymentId, ModelId, VersionId

versions = st.text("0123456789abcdef", min_size=64, max_size=64).map(VersionId)
marks = st.none() | st.text("0123456789abcdef", min_size=12, max_size=12)
models = st.integers(1, 10**10).map(ModelId)
deployments = st.integers(1, 10**10 - 1).map(DeploymentId)


@given(versions, models, deployments, marks)
def test_a_queue_tells_its_version_and_whose_secrets_its_instances_have(
    version: VersionId, model: ModelId, deployment: DeploymentId, mark: str | None
) -> None:
    holder = None if mark is None else model
    running = model_queue(version, model, mark)
    training = training_queue(version, model, mark)
    deployed = deployment_queue(deployment, version, mark)

    assert version_of(running) == version_of(training) == version_of(deployed) == version
    assert [model_of(queue) for queue in (running, training, deployed)] == [holder, holder, None]
    assert [deployment_of(queue) for queue in (running, training, deployed)] == [None, None, deployment]
    assert [is_training(queue) for queue in (running, training, deployed)] == [False, True, False]
    assert [is_shared(queue) for queue in (running, training, deployed)] == [mark is None, False, False]


@given(versions, models, models, marks, marks)
def test_only_models_without_secrets_share_a_queue(
    version: VersionId, one: ModelId, other: ModelId, mark: str | None, mark_too: str | None
) -> None:
    is_same = model_queue(version, one, mark) == model_queue(version, other, mark_too)

    assert is_same == (mark is mark_too is None or (one, mark) == (other, mark_too))
    assert model_queue(version, one, None) == version_queue(version)


@given(versions, deployments)
def test_names_fit_into_their_column(version: VersionId, number: DeploymentId) -> None:
    assert len(deployment_queue(number, version, "0" * 12)) <= 100
