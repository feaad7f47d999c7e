"""Statements of models, versions and examples."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from cogyard.domain.catalog import Model, Version, Visibility
from cogyard.domain.errors import Conflict
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import ModelId, PredictionId, VersionId
from cogyard.ports import Page, PageRequest
from cogyard.store import predictions as prediction_statements
from cogyard.store.rows import from_model, from_version, to_model, to_version
from cogyard.store.tables import examples, files, model_versions, models, versions

_OF_MODEL = select(versions).join(model_versions, model_versions.c.version == versions.c.id)


def create_model(connection: Connection, model: Model) -> Model:
    """A new model. Raises `Conflict` when its name is taken."""
    if get_model(connection, model.owner, model.name) is not None:
        raise Conflict("A model with that name and owner already exists.")
    values = {**from_model(model), "run_count": 0}
    return to_model(connection.execute(insert(models).returning(*models.columns), values).mappings().one())


def get_model(connection: Connection, owner: str, name: str) -> Model | None:
    """By name, in any letter case."""
    row = connection.execute(select(models).where(models.c.key == f"{owner}/{name}".lower())).mappings().one_or_none()
    return None if row is None else to_model(row)


def update_model(connection: Connection, model: Model) -> None:
    """Store what can change."""
    connection.execute(update(models).where(models.c.id == model.id).values(**from_model(model)))


def list_models(connection: Connection, page: PageRequest) -> Page[Model]:
    """Public models that have a version, the newest version first."""
    wanted = select(models).where(models.c.visibility == Visibility.public.value, models.c.latest_number.is_not(None))
    rows, neighbours = prediction_statements.cut(connection, wanted, models.c.latest_number, page)
    return Page([to_model(row) for row in rows], *neighbours)


def add_version(connection: Connection, model: ModelId, version: Version) -> bool:
    """Add a version and make it the latest; False when the model had it."""
    if get_version(connection, version.id) is None:
        connection.execute(insert(versions), from_version(version))
    mine = (model_versions.c.model == model) & (model_versions.c.version == version.id)
    number = connection.execute(select(model_versions.c.number).where(mine)).scalar_one_or_none()
    is_new = number is None
    if number is None:
        values = {"model": model, "version": version.id}
        number = connection.execute(insert(model_versions).returning(model_versions.c.number), values).scalar_one()
    latest = {"latest_version": version.id, "latest_number": number}
    connection.execute(update(models).where(models.c.id == model).values(**latest))
    return is_new


def get_version(connection: Connection, version: VersionId) -> Version | None:
    """By id, whichever models have it."""
    row = connection.execute(select(versions).where(versions.c.id == version)).mappings().one_or_none()
    return None if row is None else to_version(row)


def get_model_version(connection: Connection, model: ModelId, version: VersionId) -> Version | None:
    """A version of this model."""
    wanted = _OF_MODEL.where(model_versions.c.model == model, versions.c.id == version)
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else to_version(row)


def list_versions(connection: Connection, model: ModelId, page: PageRequest) -> Page[Version]:
    """Newest first."""
    wanted = _OF_MODEL.where(model_versions.c.model == model)
    rows, neighbours = prediction_statements.cut(connection, wanted, model_versions.c.number, page)
    return Page([to_version(row) for row in rows], *neighbours)


def models_of_version(connection: Connection, version: VersionId) -> Sequence[Model]:
    """The first to have it first."""
    wanted = (
        select(models)
        .join(model_versions, model_versions.c.model == models.c.id)
        .where(model_versions.c.version == version)
        .order_by(model_versions.c.number)
    )
    return [to_model(row) for row in connection.execute(wanted).mappings()]


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
