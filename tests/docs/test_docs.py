"""The documentation is true: snippets run, references are current, links lead somewhere."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import CLIENTS, StarterYard
from tests.yard import ROOT, TOKEN, Yard

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READ_ONLY = {"text", "sh"}
"""Drawings, and commands that start what the tests start by themselves (`make serve`, `export …`)."""


@dataclass(frozen=True)
class Snippet:
    language: str
    title: str
    code: str


def snippets(page: Path) -> list[Snippet]:
    return [Snippet(*found) for found in FENCE.findall(page.read_text())]


def environment(starter: Yard) -> dict[str, str]:
    return {
        **starter.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "REPLICATE_API_TOKEN": TOKEN,
        "REPLICATE_BASE_URL": starter.https,
        "SSL_CERT_FILE": str(starter.data / "tls" / "ca-bundle.pem"),
        "CURL_CA_BUNDLE": str(starter.data / "tls" / "ca-bundle.pem"),
        "NODE_EXTRA_CA_CERTS": str(starter.data / "tls" / "ca.pem"),
    }


def run(snippet: Snippet, folder: Path, variables: dict[str, str]) -> str:
    if snippet.title:
        (folder / snippet.title).write_text(snippet.code)
        return ""
    if snippet.language == "bash":
        command = ["bash", "-euo", "pipefail", "-c", snippet.code]
    elif snippet.language == "python":
        command = [sys.executable, "-c", snippet.code]
    elif snippet.language == "javascript":
        if not (CLIENTS / "js" / "node_modules" / "replicate").exists():
            pytest.skip("the JavaScript client is not installed: run make test where there is npm")
        script = CLIENTS / "js" / "snippet.mjs"
        script.write_text(snippet.code)
        command = ["node", str(script)]
    else:
        raise AssertionError(f"nobody runs {snippet.language}")
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{snippet.code}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_the_readmes_snippets_work(starter: StarterYard) -> None:
    told = [
        run(one, ROOT, environment(starter)) for one in snippets(ROOT / "README.md") if one.language not in READ_ONLY
    ]

    python, javascript, curl, command_line = told
    assert len(python) > 5
    assert javascript == "2 384\n"
    assert len(json.loads(curl)["output"][0]) == 384
    assert "cogyard/smollm2-135m" in command_line
    assert "lighthouse-2x" in command_line


@pytest.mark.slow
def test_the_authors_guide_works(starter: StarterYard, tmp_path: Path) -> None:
    shutil.copy(ROOT / "models/realesr-upscaler/examples/lighthouse.png", tmp_path / "picture.png")
    page = ROOT / "docs" / "guides" / "serve-your-own-model.md"

    told = [run(one, tmp_path, environment(starter)) for one in snippets(page) if one.language not in READ_ONLY]

    assert "me/small-grey:" in told[2]
    assert "small.png" in told[3]
    assert "image*\tfile" in told[3]
    assert "succeeded" in told[-1]


@pytest.mark.slow
def test_the_guide_to_secrets_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    page = ROOT / "docs" / "guides" / "secrets.md"

    told = [run(one, tmp_path, environment(own_yard)) for one in snippets(page) if one.language not in READ_ONLY]
    _yaml, _model, command_line, curl = told

    assert "no key\n" in command_line
    assert "WEATHER_KEY\t" in command_line
    assert command_line.endswith("a key of 13 characters: [secret]\n")
    assert '"name":"WEATHER_KEY"' in curl
    assert "wk-" not in command_line + curl


@pytest.mark.slow
def test_the_guide_to_deployments_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    page = ROOT / "docs" / "guides" / "deployments.md"

    told = [run(one, tmp_path, environment(own_yard)) for one in snippets(page) if one.language not in READ_ONLY]
    _yaml, _model, made, curl, changed, failed, back = told

    assert made.endswith("cogyard/desk release 1\n")
    assert json.loads(curl)["output"] == "hello, Ada"
    assert changed == "cogyard/desk release 2\n"
    assert "rolled back by itself: the setup of release 3 failed: FileNotFoundError" in failed
    # 4 where the third release came before the second was set up: what failed was then taken back to the first already
    assert back in {"cogyard/desk release 5\n", "cogyard/desk release 4\n"}


@pytest.mark.slow
def test_the_training_guide_works(starter: StarterYard, tmp_path: Path) -> None:
    page = ROOT / "docs" / "guides" / "train-a-model.md"

    told = [run(one, tmp_path, environment(starter)) for one in snippets(page) if one.language not in READ_ONLY]
    _file, command_line, python, curl, wrong, *_model, own = told

    assert command_line.startswith("cogyard/tickets:")
    assert '"label": "delivery"' in command_line
    assert python.startswith("succeeded \n[{'label': 'billing'")
    assert "'accuracy': " in curl
    assert "cogyard/tickets-again:" in curl
    assert wrong == "as it should\n"
    assert own.splitlines()[-1] == "4"


def test_the_guide_to_usage_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    variables = {**own_yard.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    page = ROOT / "docs" / "guides" / "usage.md"

    _sums, budgets = [run(one, tmp_path, variables) for one in snippets(page) if one.language not in READ_ONLY]

    assert (tmp_path / "usage.csv").read_text().startswith("model,deployment,predictions,seconds,")
    assert "budget 1: 50.00 USD left until " in budgets
    assert "seconds\tday\t3600\t0\t0\t3600" in budgets


def test_the_guide_to_batching_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    page = ROOT / "docs" / "guides" / "batching.md"

    told = [run(one, tmp_path, environment(own_yard)) for one in snippets(page) if one.language not in READ_ONLY]
    *_, found = told

    assert sorted(re.findall(r'"([A-Z]+)!"', found)) == ["FIVE", "FOUR", "ONE", "SIX", "THREE", "TWO"]
    assert max(map(int, re.findall(r'"batch_size":(\d+)', found))) > 1


def test_the_guide_to_instances_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    page = ROOT / "docs" / "guides" / "instances.md"

    told = [run(one, tmp_path, environment(own_yard)) for one in snippets(page) if one.language not in READ_ONLY]
    _yaml, _model, watched, life, curl, settings = told

    running = (tmp_path / "running.txt").read_text().strip()
    assert "\tcogyard/kettle\tactive\t" in watched
    assert f"\t{running}\tasked for" in watched
    assert "cogyard/kettle\t1\t" in watched
    assert "waits for a free slot: 1 instance is busy" in watched
    assert "CPUs, 1.0 GiB of " in watched
    assert life.startswith("the kettle is filled\n")
    assert '"state": "setting_up"' in life
    assert json.loads(curl)["waiting_reason"] == "waits for a free slot: 1 instance is busy"
    assert "idle_timeout\t60\nmax_instances\tdefault\n" in settings
    assert "\ncpu\tCPU\t" in settings
    assert settings.endswith(f" stopping\n{running} canceled\n")


def test_the_guide_to_accounts_works(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.start()
    variables = {**own_yard.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    page = ROOT / "docs" / "guides" / "accounts.md"

    told = [run(one, tmp_path, variables) for one in snippets(page) if one.language not in READ_ONLY]
    users, role, tokens, disabled, organization, removed, leaving, audit = told

    assert "nora\tNora N.\tpublisher\tactive" in users
    assert role.endswith("nora  Nora N.  runner  active\n")
    assert "read run\tacme/canary" in tokens
    assert disabled.endswith("is disabled\n")
    assert "otto\tviewer" in organization
    assert removed == "otto is out of lab; the tokens that she held for it are disabled\n"
    assert "user otto is deleted" in leaving
    assert "\ttokens.create\t/tokens\t201" in audit


def test_every_other_page_has_no_snippet_that_nobody_runs() -> None:
    guides = ROOT / "docs" / "guides"
    tried = {
        ROOT / "README.md",
        *(guides / f"{name}.md" for name in ("serve-your-own-model", "train-a-model", "usage", "accounts", "secrets")),
        guides / "deployments.md",
        guides / "batching.md",
        guides / "instances.md",
    }

    assert not [page for page in PAGES if page not in tried for one in snippets(page) if one.language not in READ_ONLY]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_the_reference_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "scripts" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    hint = "run: python scripts/make_reference.py"
    assert (ROOT / "docs/reference/settings.md").read_text() == module.settings_page(), hint
    assert (ROOT / "docs/reference/commands.md").read_text() == module.commands_page(), hint
    assert (ROOT / "docs/reference/contract-checks.md").read_text() == module.contract_checks_page(), hint


def test_the_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs" / "adr").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))
