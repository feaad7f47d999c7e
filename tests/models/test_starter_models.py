"""The starter models do what they say."""

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.clients.conftest import StarterYard

pytestmark = pytest.mark.slow


def latest(yard: StarterYard, name: str) -> str:
    with yard.http as http:
        return f"cogyard/{name}:{http.get(f'/models/cogyard/{name}').json()['latest_version']['id']}"


@pytest.mark.parametrize("name", ["smollm2-135m", "realesr-upscaler", "all-minilm-l6-v2"])
def test_each_has_a_default_example_that_was_really_made(starter: StarterYard, name: str) -> None:
    with starter.http as http:
        model = http.get(f"/models/cogyard/{name}").json()
    example = model["default_example"]

    assert example["status"] == "succeeded"
    assert example["version"] == model["latest_version"]["id"]
    assert example["output"]
    assert example["metrics"]["predict_time"] > 0


def test_the_examples_picture_can_still_be_fetched(starter: StarterYard) -> None:
    with starter.http as http:
        url = http.get("/models/cogyard/realesr-upscaler").json()["default_example"]["output"]

    assert Image.open(io.BytesIO(httpx.get(url, trust_env=False).content)).size == (512, 384)


def test_smollm2_repeats_itself_with_the_same_seed_only(starter: StarterYard) -> None:
    reference = latest(starter, "smollm2-135m")
    ask = {"prompt": "Tell me something.", "max_tokens": 30, "temperature": 1.5}

    one, same, other = (starter.run(reference, {**ask, "seed": seed})["output"] for seed in (1, 1, 2))

    assert one == same != other


def test_smollm2_counts_its_tokens(starter: StarterYard) -> None:
    done = starter.run(
        latest(starter, "smollm2-135m"), {"prompt": "Write a long story.", "max_tokens": 7, "temperature": 0}
    )

    assert done["metrics"]["output_token_count"] == 7
    assert done["metrics"]["input_token_count"] > 3
    assert done["metrics"]["time_to_first_token"] > 0


def test_smollm2_stops_within_a_token_when_canceled(starter: StarterYard) -> None:
    reference = latest(starter, "smollm2-135m")
    running = starter.create(reference, {"prompt": "Write a long story.", "max_tokens": 1024}).json()["id"]
    starter.until_status(running, "processing")
    with starter.http as http:
        canceled = http.post(f"/predictions/{running}/cancel").json()

    assert canceled["status"] == "canceled"
    assert starter.run(reference, {"prompt": "hi", "max_tokens": 2})["status"] == "succeeded"


@pytest.mark.parametrize(
    ("model_input", "sentence"),
    [({"prompt": "  "}, "The prompt is empty"), ({"prompt": "word " * 20_000}, "The prompt is too long")],
)
def test_smollm2_says_what_is_wrong(starter: StarterYard, model_input: dict[str, str], sentence: str) -> None:
    done = starter.run(latest(starter, "smollm2-135m"), model_input)

    assert done["status"] == "failed"
    assert sentence in done["error"]


@pytest.mark.parametrize(("mode", "size"), [("RGB", (33, 17)), ("L", (1, 1)), ("RGBA", (20, 30)), ("CMYK", (16, 16))])
def test_the_upscaler_takes_any_picture(starter: StarterYard, tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.new(mode, size).save(path)
    with starter.http as http:
        url = http.post("/files", files={"content": (path.name, path.read_bytes())}).json()["urls"]["get"]

    done = starter.run(latest(starter, "realesr-upscaler"), {"image": url, "scale": 3})
    picture = Image.open(io.BytesIO(httpx.get(done["output"], trust_env=False).content))

    assert picture.size == (size[0] * 3, size[1] * 3)
    assert picture.mode == ("RGBA" if mode == "RGBA" else "RGB")
    assert "100%|" in done["logs"]


def test_the_upscaler_keeps_the_picture_the_same_picture(starter: StarterYard, tmp_path: Path) -> None:
    source = Image.open(Path(__file__).parents[2] / "models/realesr-upscaler/examples/lighthouse.png").convert("RGB")
    with starter.http as http:
        example = http.get("/models/cogyard/realesr-upscaler").json()["default_example"]["output"]
    enlarged = Image.open(io.BytesIO(httpx.get(example, trust_env=False).content)).convert("RGB")
    pairs = zip(enlarged.resize(source.size).tobytes(), source.tobytes(), strict=True)

    assert sum(abs(a - b) for a, b in pairs) / len(source.tobytes()) < 8


@pytest.mark.parametrize("content", [b"just text", b"", b"\x89PNG\r\n\x1a\n cut"])
def test_the_upscaler_says_what_is_no_picture(starter: StarterYard, content: bytes) -> None:
    with starter.http as http:
        url = http.post("/files", files={"content": ("x.png", content)}).json()["urls"]["get"]

    done = starter.run(latest(starter, "realesr-upscaler"), {"image": url})

    assert done["status"] == "failed"
    assert "picture" in done["error"]


def test_embeddings_put_a_paraphrase_near(starter: StarterYard) -> None:
    texts = ["A man is eating food.", "A man is having a meal.", "The girl is carrying a baby."]
    near, far = _similarities(starter.run(latest(starter, "all-minilm-l6-v2"), {"texts": texts})["output"])

    assert near > 0.7 > 0.3 > far


def test_embeddings_of_a_batch_equal_those_of_single_texts(starter: StarterYard) -> None:
    reference = latest(starter, "all-minilm-l6-v2")
    texts = ["short", "a much longer text than the first one", "x " * 400]
    batch = starter.run(reference, {"texts": texts})["output"]
    single = [starter.run(reference, {"text": text})["output"][0] for text in texts]

    for one, other in zip(batch, single, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def _similarities(vectors: list[list[float]]) -> list[float]:
    first, *others = vectors
    return [sum(a * b for a, b in zip(first, other, strict=True)) for other in others]
