"""Predictions from end to end: a real server, a real Cog server, real models that behave and misbehave."""

from pathlib import Path

import httpx
import pytest

from tests.yard import FOLDERS, Yard, wait_until


def test_output_comes_back_whole(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"text": "hi", "size": "large", "maybe": 5})

    assert done["status"] == "succeeded"
    assert done["output"] == {"text": "hi", "size": "large", "maybe": 5}
    assert done["error"] is None
    assert done["metrics"]["predict_time"] <= done["metrics"]["total_time"]


@pytest.mark.parametrize(
    ("name", "value"), [("null", None), ("empty", []), ("list", ["a", "b"]), ("nested", [["a"], ["b"]])]
)
def test_values_that_the_cog_server_mixes_up_stay_apart(yard: Yard, canary: str, name: str, value: object) -> None:
    assert yard.run(canary, {"mode": "value", "text": name})["output"] == value


def test_an_exception_fails_the_prediction_and_its_traceback_is_in_the_logs(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"mode": "raise", "text": "not like this"})

    assert done["status"] == "failed"
    assert done["error"] == "ValueError: not like this"
    assert done["output"] is None
    assert "about to raise" in done["logs"]
    assert "predict.py" in done["logs"]
    assert "cogyard_wrapper" not in done["logs"]


@pytest.mark.parametrize(
    ("model_input", "reason"),
    [
        ({"mode": "exit", "count": 3}, "exit code 3"),
        ({"mode": "segfault"}, "signal 11"),
        ({"mode": "killed"}, "signal 9"),
    ],
)
def test_a_model_that_dies_is_tried_three_times_and_then_fails_with_the_reason(
    yard: Yard, canary: str, model_input: dict[str, object], reason: str
) -> None:
    done = yard.run(canary, model_input)

    assert done["status"] == "failed"
    assert reason in done["error"]
    assert done["logs"].count("was interrupted") == 2
    assert yard.run(canary, {"text": "still here"})["status"] == "succeeded"


def test_a_model_that_runs_out_of_memory_fails_and_lives_on(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"mode": "allocate", "count": 500})

    assert done["status"] == "failed"
    assert "MemoryError" in done["error"]


def test_a_queued_prediction_cancels_at_once(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "slow-setup", "acme/slow")
    waiting = yard.create(reference, {}).json()

    with yard.http as http:
        canceled = http.post(f"/predictions/{waiting['id']}/cancel").json()

    assert canceled["status"] == "canceled"
    assert canceled["completed_at"] is not None


@pytest.mark.parametrize("mode", ["loop", "sleep", "swallow"])
def test_a_running_prediction_is_canceled_whether_the_model_obeys_or_not(yard: Yard, canary: str, mode: str) -> None:
    running = yard.create(canary, {"mode": mode}).json()
    yard.until_status(running["id"], "processing")

    with yard.http as http:
        http.post(f"/predictions/{running['id']}/cancel")
    done = yard.end_of(running["id"], 20)

    assert done["status"] == "canceled"
    assert done["output"] is None
    assert done["error"] is None
    assert yard.run(canary, {})["status"] == "succeeded"


def test_canceling_what_has_ended_changes_nothing(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {})

    with yard.http as http:
        again = http.post(f"/predictions/{done['id']}/cancel")

    assert again.status_code == 200
    assert again.json() == done


def test_fifty_megabytes_of_logs_are_cut_and_the_prediction_succeeds(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"mode": "flood", "count": 50_000})

    assert done["status"] == "succeeded"
    assert done["output"] == {"kilobytes": 50_000}
    assert len(done["logs"]) < 1_100_000
    assert done["logs"].endswith("were dropped\n")


def test_text_without_a_line_end_stays_with_its_prediction(yard: Yard, canary: str) -> None:
    first = yard.run(canary, {"mode": "no_newline", "text": "mine"})
    second = yard.run(canary, {"mode": "no_newline", "text": "yours"})

    assert (first["logs"], second["logs"]) == ("mine", "yours")


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("missing_file", "The model returned a file that does not exist: /nowhere/picture.png"),
        ("folder", "The model returned a path that is not a file"),
        ("nan", "holds NaN or Infinity"),
        ("bytes", "is not JSON"),
    ],
)
def test_output_that_cannot_be_kept_fails_with_a_sentence(yard: Yard, canary: str, mode: str, sentence: str) -> None:
    done = yard.run(canary, {"mode": mode})

    assert done["status"] == "failed"
    assert sentence in done["error"]


def test_files_inside_dicts_and_lists_become_urls_in_order(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"mode": "files", "count": 20})

    urls = done["output"]["nested"]["list"]
    assert [httpx.get(url, trust_env=False).text for url in urls] == [str(number) for number in range(20)]
    assert all("/same.txt?" in url for url in urls)


def test_files_have_their_type_and_answer_ranges(yard: Yard, canary: str) -> None:
    output = yard.run(canary, {"mode": "typed_files"})["output"]

    picture = httpx.get(output["png"], trust_env=False)
    part = httpx.get(output["png"], headers={"Range": "bytes=1-3"}, trust_env=False)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == b"\x89PNG\r\n\x1a\n rest"
    assert (part.status_code, part.content) == (206, b"PNG")
    assert part.headers["content-range"] == f"bytes 1-3/{len(picture.content)}"
    assert httpx.get(output["json"], trust_env=False).headers["content-type"] == "application/json"
    assert httpx.get(output["raw"], trust_env=False).headers["content-type"] == "application/octet-stream"


def test_a_file_url_is_worth_nothing_when_changed_or_expired(own_yard: Yard) -> None:
    own_yard.settings["output_ttl"] = "3"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    done = yard.run(reference, {"mode": "typed_files"})
    url = done["output"]["png"]

    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.get(url.replace("expires=1", "expires=2"), trust_env=False).status_code == 404
    assert httpx.get(url[:-4] + "AAAA", trust_env=False).status_code == 404
    wait_until(lambda: httpx.get(url, trust_env=False).status_code == 404, 10, "the URL's end")
    renewed = yard.get(done["id"])["output"]["png"]  # its data is kept for an hour
    assert httpx.get(renewed, trust_env=False).content == b"\x89PNG\r\n\x1a\n rest"


def test_input_files_come_by_url_data_uri_and_upload(yard: Yard, canary: str) -> None:
    with yard.http as http:
        uploaded = http.post("/files", files={"content": ("note.txt", b"uploaded")}).json()
    output_url = yard.run(canary, {"mode": "typed_files"})["output"]["json"]

    done = yard.run(
        canary,
        {"mode": "read", "file": uploaded["urls"]["get"], "files": ["data:text/plain;base64,aGVsbG8=", output_url]},
    )

    assert done["output"] == {"file": ["note.txt", "uploaded"], "files": [["file.txt", "hello"], ["b.json", "{}"]]}


def test_secrets_are_wrapped(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {"mode": "secret", "secret": "hunter2"})

    assert done["output"] == {"shown": "**********", "length": 7}


def test_metrics_that_the_model_records_arrive(yard: Yard, canary: str) -> None:
    metrics = yard.run(canary, {"mode": "metrics", "count": 3})["metrics"]

    assert metrics["image_count"] == 3
    assert metrics["steps"] == 3
    assert metrics["losses"] == [0.5, 0.5, 0.5]


def test_a_model_sees_its_own_environment_and_no_token(yard: Yard, canary: str) -> None:
    output = yard.run(canary, {"mode": "environment"})["output"]

    assert output["CANARY_COLOUR"] == "yellow"
    assert not [name for name in output if "TOKEN" in name]
    assert Path(output["tmp"]).is_relative_to(yard.data)


def test_what_a_prediction_leaves_in_the_temp_folder_is_gone_before_the_next(yard: Yard, canary: str) -> None:
    first = yard.run(canary, {"mode": "litter"})["output"]["left"]
    second = yard.run(canary, {"mode": "litter"})["output"]["left"]

    assert second == first


def test_nothing_is_left_in_the_cog_servers_own_spool(yard: Yard, canary: str) -> None:
    done = yard.run(canary, {})

    wait_until(lambda: not (Path("/tmp/coglet/predictions") / done["id"]).exists(), 5, "the clean-up")


def test_two_hundred_predictions_in_a_row_meet_no_busy_server(yard: Yard, canary: str) -> None:
    with yard.http as http:
        answers = [
            http.post(
                "/predictions", json={"version": canary, "input": {"text": str(number)}}, headers={"Prefer": "wait"}
            ).json()
            for number in range(200)
        ]

    assert [answer["output"]["text"] for answer in answers] == [str(number) for number in range(200)]
