"""`cogyard search`, `collections`, and what changes models: official, promote, update, delete."""

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.domain.values import Json, JsonObject


async def search(client: Client, terminal: Terminal, question: str, limit: int) -> None:
    """What fits a question, the best first."""
    found = await client.get("/search", query=question, limit=str(limit))
    if terminal.as_json or not isinstance(found, dict):
        terminal.document(found)
        return
    hits = found.get("models")
    rows = [hit for hit in hits if isinstance(hit, dict)] if isinstance(hits, list) else []
    terminal.table(("model", "score", "what it does"), (_hit(row) for row in rows))


def _hit(row: JsonObject) -> tuple[str, object, object]:
    model, metadata = row.get("model"), row.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    name = f"{model.get('owner')}/{model.get('name')}" if isinstance(model, dict) else ""
    return name, told.get("score"), told.get("generated_description")


async def set_official(client: Client, terminal: Terminal, name: str, *, is_official: bool, price: str | None) -> None:
    """Make a model official, or an ordinary one; `price` is `unit=amount`."""
    body: JsonObject = {"is_official": is_official}
    if price is not None:
        body["price"] = _price(price)
    changed = await client.send("PUT", f"/models/{name}/official", body)
    say = f"{name} is official: call it by name alone" if is_official else f"{name} is an ordinary model"
    terminal.document(changed) if terminal.as_json else terminal.result(say)


def _price(text: str) -> JsonObject:
    unit, equals, amount = text.partition("=")
    try:
        return {"unit": unit, "amount": float(amount if equals else "")}
    except ValueError:
        raise CliError(f"--price {text!r}: write unit=amount, for example image_count=0.01.", Exit.usage) from None


async def promote(client: Client, terminal: Terminal, reference: str, *, force: bool) -> None:
    """Make a version the latest one."""
    name, _, version = reference.partition(":")
    path = f"/models/{name}/versions/{version}/promote" + ("?force=true" if force else "")
    changed = await client.send("POST", path)
    terminal.document(changed) if terminal.as_json else terminal.result(f"{name} runs {version[:12]} now")


async def set_alias(client: Client, terminal: Terminal, name: str, alias: str, version: str | None) -> None:
    """Let an id that a version has elsewhere stand for one here, by default the latest."""
    body: JsonObject = {} if version is None else {"version": version}
    made = await client.send("PUT", f"/models/{name}/aliases/{alias}", body)
    say = f"{name}:{alias} runs {made.get('version')}"
    terminal.document(made) if terminal.as_json else terminal.result(say)


async def remove_alias(client: Client, terminal: Terminal, name: str, alias: str) -> None:
    """Let an id stand for nothing again."""
    await client.send("DELETE", f"/models/{name}/aliases/{alias}")
    terminal.document({"deleted": alias}) if terminal.as_json else terminal.result(f"{name}:{alias} runs nothing now")


async def list_aliases(client: Client, terminal: Terminal, name: str) -> None:
    """The ids that stand for versions of a model."""
    rows = await client.pages(f"/models/{name}/aliases", 1000)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(("id", "version", "created"), ((row["id"], row["version"], row["created_at"]) for row in rows))


async def update_model(client: Client, terminal: Terminal, name: str, changes: JsonObject) -> None:
    """Change what is told of a model."""
    if not changes:
        raise CliError("Nothing to change: give --description, --readme or another option.", Exit.usage)
    changed = await client.send("PATCH", f"/models/{name}", changes)
    terminal.document(changed) if terminal.as_json else terminal.result(f"{name} is changed")


async def delete_model(client: Client, terminal: Terminal, reference: str) -> None:
    """Delete a model without versions, or one of its versions."""
    name, _, version = reference.partition(":")
    await client.send("DELETE", f"/models/{name}" + (f"/versions/{version}" if version else ""))
    terminal.document({"deleted": reference}) if terminal.as_json else terminal.result(f"{reference} is deleted")


async def list_collections(client: Client, terminal: Terminal) -> None:
    """All collections."""
    rows = await client.pages("/collections", 1000)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(("slug", "name", "description"), ((row["slug"], row["name"], row["description"]) for row in rows))


async def show_collection(client: Client, terminal: Terminal, slug: str) -> None:
    """A collection with its models."""
    found = await client.get_object(f"/collections/{slug}")
    if terminal.as_json:
        terminal.document(found)
        return
    terminal.result(f"{found.get('name')}  {found.get('description') or ''}")
    models = found.get("models")
    for model in models if isinstance(models, list) else []:
        if isinstance(model, dict):
            terminal.result(f"{model.get('owner')}/{model.get('name')}")


async def create_collection(client: Client, terminal: Terminal, slug: str, name: str, description: str) -> None:
    """Make a collection."""
    made = await client.post("/collections", {"slug": slug, "name": name, "description": description})
    terminal.document(made) if terminal.as_json else terminal.result(slug)


async def change_collection(client: Client, terminal: Terminal, slug: str, model: str | None, *, method: str) -> None:
    """PUT a model into a collection, DELETE it from there, or DELETE the whole collection."""
    path = f"/collections/{slug}" + (f"/models/{model}" if model else "")
    changed: Json = await client.send(method, path)
    terminal.document(changed) if terminal.as_json else terminal.result(f"{model or slug}: done")
