"""Answers on the wire, against `api-contract.md` and our own document."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from cogyard.api.app import create_app
from tests.yard import TOKEN, Yard


@pytest.fixture(scope="module")
def http(yard: Yard) -> Iterator[httpx.Client]:
    with yard.http as client:
        yield client


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def check(document: dict[str, Any], name: str, value: object) -> None:
    """`value` must be what the document says of the schema `name`."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_in_the_document_and_nothing_else(document: dict[str, Any]) -> None:
    from unittest.mock import MagicMock

    app = create_app(MagicMock())
    routes = {
        (method, route.path.replace(":path", ""))
        for route in app.routes  # type: ignore[attr-defined]
        for method in route.methods
        if method != "HEAD" and route.path not in ("/", "/p/{id}")
    }
    described = {
        (method.upper().removeprefix("X-"), path) for path, entry in document["paths"].items() for method in entry
    }

    assert described == routes


def test_a_created_prediction_has_every_field_and_none_that_is_not_due(
    http: httpx.Client, document: dict[str, Any], canary: str
) -> None:
    response = http.post("/predictions", json={"version": canary, "input": {"text": "hi"}})
    created = response.json()

    assert response.status_code == 201
    assert created["status"] == "starting"
    assert created["output"] is None
    assert created["error"] is None
    assert created["logs"] == ""
    assert created["data_removed"] is False
    assert created["source"] == "api"
    assert re.fullmatch(r"[0-9abcdefghjkmnpqrstvwxyz]{25}[048cgmrw]", created["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created["created_at"])
    assert created["urls"]["get"] == f"{http.base_url}predictions/{created['id']}".replace(
        "v1predictions", "v1/predictions"
    )
    assert response.headers["location"] == created["urls"]["get"]
    assert not {"webhook", "webhook_events_filter", "deadline", "deployment"} & set(created)
    check(document, "Prediction", created)


@pytest.mark.parametrize("form", ["{id}", "{name}:{id}"])
def test_a_version_is_named_by_its_id_with_or_without_its_model(http: httpx.Client, canary: str, form: str) -> None:
    name, _, version = canary.partition(":")

    response = http.post("/predictions", json={"version": form.format(name=name, id=version), "input": {}})

    assert response.status_code == 201
    assert response.json()["version"] == version
    assert response.json()["model"] == name


@pytest.mark.parametrize(
    "version", ["0" * 64, "acme/canary:" + "0" * 64, "acme/canary", "acme/nothing", "acme/canary:latest", "x", ""]
)
def test_an_unknown_version_is_422(http: httpx.Client, canary: str, version: str) -> None:
    response = http.post("/predictions", json={"version": version, "input": {}})

    assert response.status_code == 422
    assert response.json() == {
        "title": "Invalid version or not permitted",
        "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
        "status": 422,
    }


def test_faults_of_the_input_are_told_in_the_contracts_form(http: httpx.Client, canary_stream: str) -> None:
    response = http.post("/predictions", json={"version": canary_stream, "input": {"count": "three"}})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.text.endswith("}\n")
    assert response.json() == {
        "detail": "- input: text is required\n- input.count: Invalid type. Expected: integer, given: string\n",
        "status": 422,
        "title": "Input validation failed",
        "invalid_fields": [
            {"type": "required", "field": "input", "description": "text is required"},
            {
                "type": "invalid_type",
                "field": "input.count",
                "description": "Invalid type. Expected: integer, given: string",
            },
        ],
    }


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"{", 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not valid JSON"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (b"[]", 422, "Expected: object"),
        (b"null", 422, "Expected: object"),
        (b"", 422, "version is required"),
        (b'{"version": "a/b", "input": {"seed": 123456789012345678901234567890}}', 422, "64 bits"),
        (b'{"version": "a/b", "input": {}, "model": "a/b"}', 422, "Additional property model is not allowed"),
        (b'{"version": "a/b", "input": {"x": NaN}}', 400, "not valid JSON"),
    ],
)
def test_a_broken_body_is_refused_by_name(http: httpx.Client, content: bytes, status: int, told: str) -> None:
    response = http.post("/predictions", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == status
    assert told in response.json()["detail"]


def test_a_body_of_twenty_megabytes_is_refused(http: httpx.Client) -> None:
    response = http.post("/predictions", content=b'{"input": "' + b"x" * 20_000_000 + b'"}')

    assert response.status_code == 413
    assert "upload files with POST /v1/files" in response.json()["detail"]


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "You did not pass an authentication token"),
        ("Bearer", "You did not pass an authentication token"),
        ("Bearer wrong", "You did not pass a valid authentication token"),
        ("Token r8_wrong", "You did not pass a valid authentication token"),
    ],
)
def test_a_caller_without_a_valid_token_is_401(yard: Yard, header: str | None, detail: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = httpx.get(f"{yard.url}/v1/account", headers=headers, trust_env=False)

    assert response.status_code == 401
    assert response.json() == {"title": "Unauthenticated", "detail": detail, "status": 401}


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "bearer"])
@pytest.mark.parametrize("prefix", ["", "/v1", "/v1/v1"])
def test_both_token_forms_and_every_prefix_work(yard: Yard, scheme: str, prefix: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    response = httpx.get(f"{yard.url}{prefix}/account", headers=headers, trust_env=False)

    assert response.json() == {"type": "user", "username": "cogyard", "name": "cogyard"}


@pytest.mark.parametrize(
    "path", ["/nothing", "/predictions/zzzz", "/models/a/b", "/models/acme/canary/versions/" + "0" * 64]
)
def test_what_is_not_there_is_404(http: httpx.Client, canary: str, path: str) -> None:
    response = http.get(path)

    assert response.status_code == 404
    assert response.json() == {"detail": "The requested resource could not be found.", "status": 404}


@pytest.mark.parametrize(
    ("prefer", "code", "applied"),
    [("wait", 201, "wait"), ("wait=5", 201, "wait=5"), ("wait=90", 201, "wait=60"), ("respond-async", 201, None)],
)
def test_a_wait_is_answered_when_the_prediction_ends(
    yard: Yard, canary: str, prefer: str, code: int, applied: str | None
) -> None:
    response = yard.create(canary, {}, Prefer=prefer)

    assert response.status_code == code
    assert response.headers.get("preference-applied") == applied
    assert response.json()["status"] == ("succeeded" if applied else "starting")


def test_a_wait_that_is_over_is_202_and_says_starting(yard: Yard, canary: str) -> None:
    response = yard.create(canary, {"mode": "loop"}, Prefer="wait=1")
    prediction = response.json()["id"]

    assert response.status_code == 202
    assert response.json()["status"] == "starting"
    assert yard.get(prediction)["status"] == "processing"
    with yard.http as http:
        assert http.post(f"/predictions/{prediction}/cancel").json()["status"] == "canceled"


def test_a_failure_in_time_is_201(yard: Yard, canary: str) -> None:
    response = yard.create(canary, {"mode": "raise", "text": "no"}, Prefer="wait")

    assert response.status_code == 201
    assert response.json()["status"] == "failed"
    assert response.json()["error"] == "ValueError: no"


def test_pages_follow_each_other_both_ways(own_yard: Yard) -> None:
    from tests.yard import FOLDERS

    yard = own_yard.start()
    reference = yard.push(FOLDERS / "slow-setup", "acme/slow")
    created = [yard.create(reference, {}).json()["id"] for _ in range(205)]

    with yard.http as http:
        pages = [http.get("/predictions").json()]
        while pages[-1]["next"]:
            pages.append(http.get(pages[-1]["next"]).json())
        back = http.get(pages[2]["previous"]).json()

    assert [len(page["results"]) for page in pages] == [100, 100, 5]
    assert [row["id"] for page in pages for row in page["results"]] == created[::-1]
    assert pages[0]["previous"] is None
    assert pages[1]["next"].startswith(f"{yard.url}/v1/predictions?cursor=")
    assert back["results"] == pages[1]["results"]


def test_lists_are_filtered_by_time_and_keep_the_filter(http: httpx.Client, canary: str) -> None:
    first = http.post("/predictions", json={"version": canary, "input": {}}).json()
    second = http.post("/predictions", json={"version": canary, "input": {}}).json()

    later = http.get("/predictions", params={"created_after": second["created_at"]}).json()["results"]
    before = http.get("/predictions", params={"created_before": second["created_at"]}).json()["results"]

    assert [row["id"] for row in later] == [second["id"]]
    assert before[0]["id"] == first["id"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"cursor": "!!"}, "cursor"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"created_after": "0001-01-01T00:00:00+14:00"}, "created_after"),
        ({"created_before": "9999-12-31T23:59:59-12:00"}, "created_before"),
        ({"source": "x"}, "source"),
    ],
)
def test_a_bad_query_is_400_and_names_the_parameter(http: httpx.Client, query: dict[str, str], name: str) -> None:
    response = http.get("/predictions", params=query)

    assert response.status_code == 400
    assert response.json()["detail"].startswith(f"{name}:")


def test_a_model_shows_its_version_and_its_default_example(
    http: httpx.Client, document: dict[str, Any], canary: str
) -> None:
    name, _, version = canary.partition(":")
    model = http.get(f"/models/{name}").json()

    assert model["latest_version"]["id"] == version
    assert model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]["properties"]["text"]
    assert model["default_example"]["output"] == {"text": "tweet", "size": "small", "maybe": None}
    assert model["description"] == "Does what it is told."
    assert http.get(f"/models/{name}/readme").text.startswith("# canary")
    assert http.get(f"/models/{name}/examples").json()["results"][0]["id"] == model["default_example"]["id"]
    assert http.get(f"/models/{name}/versions").json()["results"] == [model["latest_version"]]
    assert http.get(f"/models/{name}/versions/{version}").json() == model["latest_version"]
    check(document, "Model", model)


def test_a_model_is_created_once(http: httpx.Client, document: dict[str, Any]) -> None:
    body = {"owner": "cogyard", "name": "new-one", "visibility": "public", "hardware": "cpu"}

    created = http.post("/models", json=body)
    again = http.post("/models", json={**body, "name": "New-One"})

    assert created.status_code == 201
    assert created.json()["latest_version"] is None
    assert created.json()["run_count"] == 0
    check(document, "Model", created.json())
    assert again.status_code == 409
    assert again.json()["errors"][0]["detail"] == "A model with that name and owner already exists."


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        (
            {"hardware": "gpu-x"},
            400,
            "gpu-x is not a valid hardware SKU. Your options are: cpu, cpu-small, gpu-a100-large,",
        ),
        ({"visibility": "secret"}, 400, "must be public or private"),
        ({"name": "no spaces"}, 400, "is not a name"),
        ({"owner": "somebody"}, 403, "use your own account, cogyard"),
        ({"name": None}, 400, "name: Invalid type. Expected: string, given: null"),
        ({"name": 7}, 400, "Invalid type"),
    ],
)
def test_a_model_that_cannot_be_is_refused(
    http: httpx.Client, change: dict[str, object], status: int, told: str
) -> None:
    body = {"owner": "cogyard", "name": "other", "visibility": "public", "hardware": "cpu", **change}
    response = http.post("/models", json=body)

    assert response.status_code == status
    assert told in response.json()["detail"]


def test_runs_are_counted(http: httpx.Client, canary: str) -> None:
    name = canary.partition(":")[0]
    before = http.get(f"/models/{name}").json()["run_count"]
    http.post("/predictions", json={"version": canary, "input": {}})

    assert http.get(f"/models/{name}").json()["run_count"] == before + 1


def test_a_file_is_uploaded_shown_listed_and_deleted(http: httpx.Client, document: dict[str, Any]) -> None:
    files = {"content": ("a note.txt", b"hello", "text/plain")}
    created = http.post("/files", files=files, data={"metadata": '{"a": 1}'})
    file = created.json()

    assert created.status_code == 201
    check(document, "File", file)
    assert (file["name"], file["size"], file["content_type"]) == ("a note.txt", 5, "text/plain")
    assert file["etag"] == "5d41402abc4b2a76b9719d911017c592"
    assert file["metadata"] == {"a": 1}
    assert http.get(f"/files/{file['id']}").json() == file
    assert file in http.get("/files").json()["results"]
    assert http.delete(f"/files/{file['id']}").status_code == 204
    assert http.get(f"/files/{file['id']}").json() == {"detail": "File not found", "status": 404}


def test_a_file_that_is_too_large_or_missing_is_refused(own_yard: Yard) -> None:
    own_yard.settings["max_file_bytes"] = str(2**20)
    yard = own_yard.start()
    with yard.http as http:
        large = http.post("/files", files={"content": b"x" * (2**20 + 1)})
        none = http.post("/files", files={"other": b"x"})
        form = http.post("/files", content=b"x")

    assert (large.status_code, large.json()["detail"]) == (413, "Files must be less than 1MB in size")
    assert (none.status_code, none.json()["invalid_fields"][0]["description"]) == (422, "content is required")
    assert form.status_code == 415


def test_tokens_are_made_shown_once_and_disabled(yard: Yard, http: httpx.Client, document: dict[str, Any]) -> None:
    made = http.post("/tokens", json={"name": "laptop"}).json()
    headers = {"Authorization": f"Bearer {made['token']}"}

    assert re.fullmatch(r"r8_[0-9a-z]{37}", made["token"])
    assert httpx.get(f"{yard.url}/v1/account", headers=headers, trust_env=False).status_code == 200
    listed = http.get("/tokens").json()
    check(document, "TokenList", listed)
    assert made["token"] not in json.dumps(listed)
    assert http.post(f"/tokens/{made['id']}/disable").json()["disabled_at"]
    assert httpx.get(f"{yard.url}/v1/account", headers=headers, trust_env=False).status_code == 401
    assert http.post("/tokens/999999/disable").status_code == 404
    assert http.post("/tokens", json={"name": " "}).status_code == 400


def test_readiness_needs_no_token(yard: Yard) -> None:
    response = httpx.get(f"{yard.url}/health", trust_env=False)

    assert response.status_code == 200
    assert response.json()["status"] == "ok"


def test_bad_fields_of_a_resource_are_all_told_as_its_family_does(http: httpx.Client, canary: str) -> None:
    answer = http.post("/models", json={"owner": "cogyard", "name": 5, "visibility": "private"})
    unknown = http.patch("/models/acme/canary", json={"nmae": "x"})

    assert answer.status_code == 400
    assert answer.json()["title"] == "Validation failed"
    assert answer.json()["errors"] == [
        {"pointer": "/hardware", "detail": "is required"},
        {"pointer": "/name", "detail": "Invalid type. Expected: string, given: integer"},
    ]
    assert unknown.json()["errors"] == [{"pointer": "/nmae", "detail": "is not allowed"}]
    assert http.post("/models", json=[]).status_code == 400
