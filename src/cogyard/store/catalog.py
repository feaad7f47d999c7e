"""Statements of models, versions and examples. What changes a model also brings the search index up to date."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from cogyard.domain.catalog import Model, Version, Visibility
from cogyard.domain.errors import Conflict
from cogyard.domain.prediction import Prediction, PredictionKind
from cogyard.domain.values import ModelId, PredictionId, VersionId
from cogyard.ports import ModelOrder, Page, PageRequest, VersionUsers
from cogyard.store import aliases as alias_statements
from cogyard.store import deliveries
from cogyard.store import predictions as prediction_statements
from cogyard.store.deployments import is_deployed
from cogyard.store.paging import cut
from cogyard.store.rows import from_model, from_version, to_model, to_version
from cogyard.store.search import index_model
from cogyard.store.tables import collection_models, examples, files, model_versions, models, predictions, versions

_OF_MODEL = select(versions, model_versions.c.added_at).join(model_versions, model_versions.c.version == versions.c.id)


def create_model(connection: Connection, model: Model) -> Model:
    """A new model. Raises `Conflict` when its name is taken."""
    if get_model(connection, model.owner, model.name) is not None:
        raise Conflict("A model with that name and owner already exists.", "name")
    values = {**from_model(model), "run_count": 0}
    made = to_model(connection.execute(insert(models).returning(*models.columns), values).mappings().one())
    index_model(connection, made.id)
    return made


def get_model(connection: Connection, owner: str, name: str) -> Model | None:
    """By name, in any letter case."""
    row = connection.execute(select(models).where(models.c.key == f"{owner}/{name}".lower())).mappings().one_or_none()
    return None if row is None else to_model(row)


def update_model(connection: Connection, before: Model, after: Model) -> None:
    """Store what differs; other fields may have changed since `before` was read."""
    olds = from_model(before)
    changed = {name: value for name, value in from_model(after).items() if value != olds[name]}
    if changed:
        connection.execute(update(models).where(models.c.id == before.id).values(**changed))
        index_model(connection, before.id)


def list_models(connection: Connection, order: ModelOrder, page: PageRequest) -> Page[Model]:
    """Public models that have a version."""
    wanted = select(models).where(models.c.visibility == Visibility.public.value, models.c.latest_number.is_not(None))
    key = models.c.id if order is ModelOrder.model_created_at else models.c.latest_number
    rows, neighbours = cut(connection, wanted, (key,), page)
    return Page([to_model(row) for row in rows], *neighbours)


def delete_model(connection: Connection, model: ModelId) -> None:
    """Remove a model without versions."""
    connection.execute(delete(examples).where(examples.c.model == model))
    connection.execute(delete(collection_models).where(collection_models.c.model == model))
    connection.execute(delete(models).where(models.c.id == model))
    index_model(connection, model)


def add_version(connection: Connection, model: ModelId, version: Version) -> bool:
    """Add a version and make it the latest; False when the model had it."""
    if get_version(connection, version.id) is None:
        connection.execute(insert(versions), from_version(version))
    mine = (model_versions.c.model == model) & (model_versions.c.version == version.id)
    number = connection.execute(select(model_versions.c.number).where(mine)).scalar_one_or_none()
    is_new = number is None
    if number is None:
        values = {"model": model, "version": version.id, "added_at": version.created_at}
        number = connection.execute(insert(model_versions).returning(model_versions.c.number), values).scalar_one()
    _set_latest(connection, model, version.id, number)
    return is_new


def _set_latest(connection: Connection, model: ModelId, version: VersionId | None, number: int | None) -> None:
    latest = {"latest_version": version, "latest_number": number}
    connection.execute(update(models).where(models.c.id == model).values(**latest))
    index_model(connection, model)


def promote(connection: Connection, model: ModelId, version: VersionId) -> None:
    """Make one of the model's versions the latest."""
    mine = (model_versions.c.model == model) & (model_versions.c.version == version)
    number = connection.execute(select(model_versions.c.number).where(mine)).scalar_one()
    _set_latest(connection, model, version, number)


def remove_version(connection: Connection, model: Model, version: VersionId, at: datetime) -> bool:
    """Take a version from a model, with the predictions that ran it; whether no model has it any more.

    The bytes of their files go once the files have expired, at `at`. Raises `Conflict` when one came meanwhile that has
    not ended.
    """
    if version_users(connection, model, version).unfinished:
        raise Conflict("The version cannot be deleted: predictions of it have not ended yet.")
    mine = (model_versions.c.model == model.id) & (model_versions.c.version == version)
    connection.execute(delete(model_versions).where(mine))
    alias_statements.forget_version(connection, model.id, version)
    ran = (predictions.c.version == version) & (predictions.c.model == model.full_name)
    gone = select(predictions.c.id).where(ran)
    connection.execute(update(files).where(files.c.prediction.in_(gone)).values(expires_at=at))
    connection.execute(delete(examples).where(examples.c.prediction.in_(gone)))
    deliveries.forget_bodies(connection, gone)
    shown = select(models.c.default_example).where(models.c.id == model.id)
    if connection.execute(select(predictions.c.id).where(ran, predictions.c.id.in_(shown))).first() is not None:
        connection.execute(update(models).where(models.c.id == model.id).values(default_example=None))
    connection.execute(delete(predictions).where(ran))
    if model.latest_version == version:
        newest = select(model_versions).where(model_versions.c.model == model.id)
        row = connection.execute(newest.order_by(model_versions.c.number.desc()).limit(1)).one_or_none()
        _set_latest(connection, model.id, row.version if row else None, row.number if row else None)
    if connection.execute(select(model_versions.c.number).where(model_versions.c.version == version)).first():
        return False
    connection.execute(delete(versions).where(versions.c.id == version))
    return True


def version_users(connection: Connection, model: Model, version: VersionId) -> VersionUsers:
    """What stands against removing a version from a model."""
    ran = (predictions.c.version == version) & (predictions.c.model == model.full_name)
    others = select(predictions.c.id).where(ran, predictions.c.account != model.account)
    trainings = select(predictions.c.id).where(ran, predictions.c.kind == PredictionKind.training.value)
    unfinished = select(predictions.c.id).where(ran, predictions.c.completed_at.is_(None))
    return VersionUsers(
        other_accounts=connection.execute(others.limit(1)).first() is not None,
        trainings=connection.execute(trainings.limit(1)).first() is not None,
        unfinished=connection.execute(unfinished.limit(1)).first() is not None,
        deployments=is_deployed(connection, version),
        aliases=alias_statements.is_aliased(connection, model.id, version),
    )


def get_version(connection: Connection, version: VersionId) -> Version | None:
    """By id, whichever models have it."""
    row = connection.execute(select(versions).where(versions.c.id == version)).mappings().one_or_none()
    return None if row is None else to_version(row)


def get_model_version(connection: Connection, model: ModelId, version: VersionId) -> Version | None:
    """A version of this model, by its id or by an alias."""
    wanted = _OF_MODEL.where(model_versions.c.model == model, versions.c.id == version)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is not None:
        return _of_model(row)
    meant = alias_statements.version_of(connection, model, version)
    return None if meant is None else get_model_version(connection, model, meant)


def list_versions(connection: Connection, model: ModelId, page: PageRequest) -> Page[Version]:
    """Newest first."""
    wanted = _OF_MODEL.where(model_versions.c.model == model)
    rows, neighbours = cut(connection, wanted, (model_versions.c.number,), page)
    return Page([_of_model(row) for row in rows], *neighbours)


def _of_model(row: RowMapping) -> Version:
    """A version as a model has it: from when it was its own."""
    return replace(to_version(row), created_at=row["added_at"])


def models_of_version(connection: Connection, version: VersionId) -> Sequence[Model]:
    """The first to have it first, then those that have it as an alias."""
    wanted = (
        select(models)
        .join(model_versions, model_versions.c.model == models.c.id)
        .where(model_versions.c.version == version)
        .order_by(model_versions.c.number)
    )
    found = [to_model(row) for row in connection.execute(wanted).mappings()]
    return [*found, *alias_statements.models_of(connection, version)]


def add_example(connection: Connection, model: ModelId, prediction: PredictionId) -> None:
    """Keep a prediction and its files; adding it again changes nothing."""
    mine = (examples.c.model == model) & (examples.c.prediction == prediction)
    if connection.execute(select(examples.c.number).where(mine)).first() is None:
        connection.execute(insert(examples), {"model": model, "prediction": prediction})
    connection.execute(update(files).where(files.c.prediction == prediction).values(expires_at=None))
    first = update(models).where(models.c.id == model, models.c.default_example.is_(None))
    connection.execute(first.values(default_example=prediction))


def list_examples(connection: Connection, model: ModelId) -> Sequence[Prediction]:
    """The default one first, then in the order in which they were added."""
    default = connection.execute(select(models.c.default_example).where(models.c.id == model)).scalar_one_or_none()
    wanted = select(examples.c.prediction).where(examples.c.model == model).order_by(examples.c.number)
    ids = sorted(connection.execute(wanted).scalars(), key=lambda found: found != default)
    found = [prediction_statements.get(connection, prediction) for prediction in ids]
    return [prediction for prediction in found if prediction is not None]
