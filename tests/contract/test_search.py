"""A catalogue like a real one, and what people ask of it: the right model is among the first three."""

from dataclasses import replace
from pathlib import Path

import pytest

from cogyard.domain.account import Account
from cogyard.domain.catalog import Model
from cogyard.domain.values import JsonObject, ModelId
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, version, with_store

CATALOGUE = {
    "pixel-lift": ("Raises an image to four times its size, with sharper details.", "image scale face_enhance"),
    "cutout": ("Removes the background of an image.", "image"),
    "hearken": ("Turns speech in audio into text.", "audio language translate"),
    "small-talker": ("A language model of 8 billion parameters, tuned for chat completions.", "prompt max_tokens"),
    "sketchbook": ("Fast image generation for personal use.", "prompt aspect_ratio num_outputs"),
    "dreamer-xl": ("A text-to-image model for beautiful images.", "prompt negative_prompt width height"),
    "captioner": ("Writes image captions.", "image task question"),
    "page-reader": ("OCR: gets the text out of an image.", "image"),
    "face-mender": ("Restores faces in old photos and in generated pictures.", "image scale"),
    "attic": ("Brings old photos back to life.", "image with_scratch"),
    "narrator": ("Text-to-speech with many voices.", "text voice speed"),
    "melodist": ("Makes music from a prompt or a melody.", "prompt duration melody"),
    "filmer": ("Six seconds of video from prompts or images.", "prompt first_frame_image"),
    "looker": ("Vision and language together: a large model that looks at an image.", "image prompt"),
    "text-vectors": ("Document embeddings for semantic search and clustering.", "text text_batch"),
    "segmenter": ("Segments anything in images.", "image points"),
    "boxes": ("Detects objects in pictures, with boxes.", "image confidence"),
    "guard": ("Image classification of what is not safe for work (NSFW).", "image"),
    "manners": ("Classifies comments as toxic.", "text"),
    "interpreter": ("Translates between languages.", "text source target"),
    "shortener": ("Summarizes news articles.", "text max_length"),
    "paintbox": ("Gives old images their colours.", "image"),
    "stems": ("Separates a song's sources: drums, bass, vocals.", "audio stem"),
    "coder": ("A large language model that writes and discusses code.", "prompt"),
    "stickers": ("Turns a face into a sticker.", "image prompt"),
}

QUESTIONS = {
    "pixel-lift": "make picture bigger|bigger picture make|enlarge my images|super-resolution|upscale photo",
    "cutout": "remove background|removing backgrounds|background remover|cut out the background of a product photo",
    "hearken": "speech to text|transcribe a podcast|audio transcription|make subtitles|dictation",
    "small-talker": "chat|chatbot|llm|chat completion",
    "sketchbook": "image generator|create images|generate pictures",
    "dreamer-xl": "text to image|TEXT-TO-IMAGE|beautiful",
    "captioner": "describe a photo|image caption|captioning",
    "page-reader": "read text from a scan|ocr|extract text from image|text recognition",
    "face-mender": "repair old photo|fix blurry face|restore portraits",
    "narrator": "text to speech|tts|read aloud|speak this text|voice generation",
    "melodist": "make a song|generate music|music generator|compose a melody",
    "filmer": "video generation|animate a picture|make a movie",
    "text-vectors": "embeddings|semantic search|sentence similarity",
    "boxes": "object detection|find objects in pictures",
    "segmenter": "segmentation|mask objects",
    "guard": "nsfw filter|is this picture safe for work",
    "interpreter": "translate german to english|translation|translator",
    "shortener": "summarise a long article|summary|tldr",
    "paintbox": "colorize black and white photo|colourise",
    "stems": "isolate vocals|split a song",
    "coder": "write code|programming assistant",
    "stickers": "stickers|sticker of my face|acme/stickers",
}


@pytest.fixture(scope="module")
def missed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What was asked in vain, and what came of it."""

    async def scenario(store: SqliteStore, account: Account) -> dict[str, list[str]]:
        for number, (name, (description, fields)) in enumerate(CATALOGUE.items(), 1):
            new = Model(
                id=ModelId(0), account=account.id, owner="acme", name=name, created_at=NOW, description=description
            )
            properties: JsonObject = {field: {"type": "string"} for field in fields.split()}
            schema: JsonObject = {"components": {"schemas": {"Input": {"properties": properties}}}}
            model = await store.create_model(new)
            await store.add_version(model.id, replace(version(number), openapi_schema=schema))
        found = {}
        for name, questions in QUESTIONS.items():
            for question in questions.split("|"):
                hits = await store.search_models(question, 20)
                scores = [score for _, score in hits]
                assert scores == sorted(scores, reverse=True)
                first = [model.name for model, _ in hits[:3]]
                if name not in first:
                    found[question] = first
        return found

    wrong: dict[str, list[str]] = with_store(Path(tmp_path_factory.mktemp("store")), scenario)
    return wrong


def test_the_right_model_is_among_the_first_three(missed: dict[str, list[str]]) -> None:
    assert missed == {}
