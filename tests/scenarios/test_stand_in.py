"""Programs that say https://api.replicate.com run as they are, on this machine, and nobody else notices."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cogyard.cli.stand_in import hosts_lines
from tests.clients.conftest import CLIENTS
from tests.yard import FOLDERS, TOKEN, Yard, wait_until

FOREIGN = "30e2" + "f" * 60
"""An id that Replicate could have given, and that no version of ours can have."""

SHELL = r"""
set -eu
api=https://api.replicate.com/v1
call() { curl --silent --show-error --header "Authorization: Bearer $REPLICATE_API_TOKEN" "$@"; }
post() { call --header "Content-Type: application/json" --data "$@"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

id=$(post '{"version": "elsewhere/painter", "input": {"title": "a shell"}}' $api/predictions | field id)
until call $api/predictions/$id | grep -q '"status":"succeeded"'; do sleep 0.1; done
call $api/predictions/$id; echo
post '{"input": {"title": "at once"}}' --header "Prefer: wait=30" $api/models/elsewhere/painter/predictions; echo

printf 'Ada' > note.txt
upload=$(call --form content=@note.txt $api/files)
echo "$upload"
post "{\"version\": \"elsewhere/reader:FOREIGN\", \"input\": {\"mode\": \"read\", \"file\":
  \"$(echo "$upload" | field get)\"}}" --header "Prefer: wait" $api/predictions; echo

stream=$(post '{"version": "FOREIGN", "input": {"text": "Ada"}, "stream": true}' $api/predictions | field stream)
curl --silent --no-buffer --header "Accept: text/event-stream" "$stream" | sed -n 's/^data: //p' | tr -d '\n'; echo
call $api/webhooks/default/secret; echo
""".replace("FOREIGN", FOREIGN)

PYTHON = f"""
import json
import replicate

picture = replicate.run("elsewhere/painter", input={{"title": "python"}})
text = "".join(replicate.run("elsewhere/talker:{FOREIGN}", input={{"text": "Ada"}}))
created = replicate.predictions.create(version="{FOREIGN}", input={{"text": "Bob"}})
created.wait()
streamed = "".join(str(event) for event in replicate.stream("elsewhere/talker:{FOREIGN}", input={{"text": "Cy"}}))
print(json.dumps([picture.url, picture.read().decode(), text, "".join(created.output), streamed]))
"""

PYTHON_2 = f"""
import json
import replicate

picture = replicate.run("elsewhere/painter", input={{"title": "python"}})
text = "".join(replicate.run("elsewhere/talker:{FOREIGN}", input={{"text": "Ada"}}))
painter = replicate.use("elsewhere/talker:{FOREIGN}")
print(json.dumps([picture.url, picture.read().decode(), text, "".join(painter(text="Bob"))]))
"""

RAW_PYTHON = """
import json, os, urllib.request
import httpx

headers = {"Authorization": "Bearer " + os.environ["REPLICATE_API_TOKEN"]}
body = {"version": "elsewhere/painter", "input": {"title": "raw"}}
made = httpx.post("https://api.replicate.com/v1/predictions", json=body, headers={**headers, "Prefer": "wait"})
again = urllib.request.Request(made.json()["urls"]["get"], headers=headers)
with urllib.request.urlopen(again) as answer:
    output = json.load(answer)["output"]
with urllib.request.urlopen(output) as answer:
    print(json.dumps([output, answer.read().decode()]))
"""

JAVASCRIPT = f"""
import Replicate from "replicate";

const replicate = new Replicate();
const picture = await replicate.run("elsewhere/painter", {{ input: {{ title: "javascript" }} }});
const text = (await replicate.run("elsewhere/talker:{FOREIGN}", {{ input: {{ text: "Ada" }} }})).join("");
let streamed = "";
for await (const event of replicate.stream("elsewhere/talker:{FOREIGN}", {{ input: {{ text: "Cy" }} }})) {{
  if (event.event === "output") streamed += event.data;
}}
const answer = await fetch("https://api.replicate.com/v1/predictions", {{
  method: "POST",
  headers: {{
    Authorization: `Bearer ${{process.env.REPLICATE_API_TOKEN}}`,
    "Content-Type": "application/json",
    Prefer: "wait",
  }},
  body: JSON.stringify({{ version: "{FOREIGN}", input: {{ text: "Dee" }} }}),
}});
const raw = (await answer.json()).output.join("");
console.log(JSON.stringify([picture.url().href, await (await picture.blob()).text(), text, streamed, raw]));
"""


class StandIn(Yard):
    """A server that answers as api.replicate.com, and the programs that it is meant for."""

    def program(self, *command: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, "NO_COLOR": "1", **more.pop("variables", {})}
        run = [sys.executable, "-m", "cogyard", "stand-in", "--", *command]
        return subprocess.run(run, env=environment, capture_output=True, text=True, timeout=240, check=False, **more)

    def lines(self, *command: str, **more: Any) -> list[str]:
        ended = self.program(*command, **more)
        assert ended.returncode == 0, ended.stderr
        assert TOKEN not in ended.stderr
        return ended.stdout.splitlines()


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    if sys.platform != "linux":
        pytest.skip("a program's own names need Linux")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 443))
        except OSError as error:
            pytest.skip(f"port 443 of this machine is not to be had: {error.strerror}")
    started = StandIn(tmp_path_factory.mktemp("stand-in"), {"stand_in": "true"})
    started.start()
    try:
        if "own: " in (refused := started.program("true").stderr):
            pytest.skip(f"this machine gives no program names of its own: {refused}")
        started.push(FOLDERS / "picture", "elsewhere/painter")
        assert started.cogyard("models", "official", "elsewhere/painter").returncode == 0
        # a bare id is the model's that had it first
        for folder, name in (("canary-stream", "elsewhere/talker"), ("canary", "elsewhere/reader")):
            started.push(FOLDERS / folder, name, "--no-examples")
            assert started.cogyard("models", "alias", name, FOREIGN).returncode == 0
        yield started
    finally:
        started.stop()


def drawn(picture: str, title: str) -> bool:
    return picture.startswith("<svg") and f"<title>{title}</title>" in picture


def is_ours(url: str) -> bool:
    return url.startswith("https://api.replicate.com/")


def test_a_shell_script_creates_polls_waits_uploads_and_streams(stand_in: StandIn, tmp_path: Path) -> None:
    told = stand_in.lines("sh", "-c", SHELL, cwd=tmp_path)
    polled, waited, upload, read = (json.loads(line) for line in told[:4])

    assert is_ours(polled["output"])
    assert is_ours(polled["urls"]["get"])
    assert waited["status"] == "succeeded"
    assert is_ours(upload["urls"]["get"])
    assert read["output"]["file"] == ["note.txt", "Ada"]
    assert told[4] == "hello there, Ada{}"
    assert json.loads(told[5])["key"].startswith("whsec_")


def test_the_python_client_runs_by_name_and_by_a_foreign_id(stand_in: StandIn) -> None:
    url, picture, text, polled, streamed = json.loads(stand_in.lines(sys.executable, "-c", PYTHON)[0])

    assert is_ours(url)
    assert drawn(picture, "python")
    assert (text, polled, streamed) == ("hello there, Ada", "hello there, Bob", "hello there, Cy")


def test_the_python_2_client_does_too(stand_in: StandIn) -> None:
    interpreter = CLIENTS / "python2" / "bin" / "python"
    if not interpreter.exists():
        pytest.skip("the 2.0 beta client is not installed: run make test")
    url, picture, text, used = json.loads(stand_in.lines(str(interpreter), "-c", PYTHON_2)[0])

    assert is_ours(url)
    assert drawn(picture, "python")
    assert (text, used) == ("hello there, Ada", "hello there, Bob")


def test_python_without_a_client_follows_the_urls_that_it_is_given(stand_in: StandIn) -> None:
    url, picture = json.loads(stand_in.lines(sys.executable, "-c", RAW_PYTHON)[0])

    assert is_ours(url)
    assert drawn(picture, "raw")


def test_the_javascript_client_and_fetch_need_no_base_url(stand_in: StandIn) -> None:
    if not (CLIENTS / "js" / "node_modules" / "replicate").exists():
        pytest.skip("the JavaScript client is not installed: run make test where there is npm")
    script = CLIENTS / "js" / "stand_in.mjs"
    script.write_text(JAVASCRIPT)
    url, picture, text, streamed, raw = json.loads(stand_in.lines("node", str(script))[0])

    assert is_ours(url)
    assert drawn(picture, "javascript")
    assert (text, streamed, raw) == ("hello there, Ada", "hello there, Cy", "hello there, Dee")


WHERE = "import socket; print(*{i[4][0] for i in socket.getaddrinfo('%s', 443, type=socket.SOCK_STREAM)})"


def test_the_names_lead_here_inside_and_elsewhere_outside(stand_in: StandIn) -> None:
    hosts = Path("/etc/hosts").read_text()
    inside = stand_in.lines(sys.executable, "-c", WHERE % "api.replicate.com")
    outside = subprocess.run(
        [sys.executable, "-c", WHERE % "api.replicate.com"], capture_output=True, text=True, check=False
    )

    assert inside == ["127.0.0.1"]
    assert outside.stdout.strip() != "127.0.0.1"
    assert Path("/etc/hosts").read_text() == hosts


def test_other_names_and_files_are_what_they_were(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    localhost = subprocess.run([sys.executable, "-c", WHERE % "localhost"], capture_output=True, text=True, check=True)

    assert stand_in.lines(sys.executable, "-c", WHERE % "localhost") == localhost.stdout.splitlines()
    assert stand_in.lines("cat", str(tmp_path / "mine")) == ["mine"]
    assert stand_in.lines("id", "-u") == [str(os.getuid())]
    assert stand_in.lines("sh", "-c", "echo inside > made; cat made", cwd=tmp_path) == ["inside"]
    assert (tmp_path / "made").read_text() == "inside\n"


def test_the_program_takes_the_place_of_the_command(stand_in: StandIn) -> None:
    assert stand_in.program("sh", "-c", "exit 37").returncode == 37
    assert stand_in.lines("echo", "--json", "--help", "-q") == ["--json --help -q"]
    assert stand_in.lines("cat", input="passed on\n") == ["passed on"]
    assert stand_in.program("no-such-program").returncode == 2


def test_a_signal_reaches_the_program(stand_in: StandIn, tmp_path: Path) -> None:
    script = f"trap 'echo told; exit 5' TERM; touch {tmp_path / 'ready'}; while :; do sleep 0.05; done"
    command = [sys.executable, "-m", "cogyard", "stand-in", "--", "sh", "-c", script]
    with subprocess.Popen(command, env=stand_in.environment, stdout=subprocess.PIPE, text=True) as process:
        wait_until((tmp_path / "ready").exists, what="the start of the program")
        process.send_signal(signal.SIGTERM)

        assert process.communicate(timeout=30)[0] == "told\n"
        assert process.returncode == 5


def test_variables_are_those_that_the_program_needs(stand_in: StandIn) -> None:
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    variables = {"REPLICATE_BASE_URL": "http://elsewhere", "NO_PROXY": "mine", "REPLICATE_API_TOKEN": TOKEN}
    got = json.loads(stand_in.lines(sys.executable, "-c", show, variables=variables)[0])

    assert "REPLICATE_BASE_URL" not in got
    assert got["REPLICATE_API_TOKEN"] == TOKEN
    assert Path(got["SSL_CERT_FILE"]).is_file()
    assert got["NO_PROXY"].startswith("mine,api.replicate.com")


def test_a_token_of_another_service_is_replaced_and_told(stand_in: StandIn) -> None:
    show = "import os; print(os.environ['REPLICATE_API_TOKEN'])"
    ended = stand_in.program(sys.executable, "-c", show, variables={"REPLICATE_API_TOKEN": "r8_of_the_real_one"})

    assert ended.stdout.strip() == TOKEN
    assert "REPLICATE_API_TOKEN is no token of this server" in ended.stderr
    assert "r8_" not in ended.stderr


NO_MORE_NAMESPACES = "echo 0 > /proc/sys/user/max_mnt_namespaces && "


def refused(stand_in: StandIn, before: str, *program: str) -> subprocess.CompletedProcess[str]:
    """Run a program where the kernel lets it have no namespace of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to make such a place with")
    run = shlex.join([sys.executable, "-m", "cogyard", "stand-in", "--", *program])
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"{before}{NO_MORE_NAMESPACES}exec {run}"]
    return subprocess.run(command, env=stand_in.environment, capture_output=True, text=True, timeout=60, check=False)


def test_where_names_cannot_be_private_it_says_which_line_to_add(stand_in: StandIn) -> None:
    ended = refused(stand_in, "", "true")

    assert ended.returncode == 1
    assert hosts_lines() in ended.stderr


def test_with_that_line_in_the_hosts_file_it_works_there_too(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n" + hosts_lines())
    by_hand = f"mount --bind {shlex.quote(str(tmp_path / 'hosts'))} /etc/hosts && "
    ended = refused(stand_in, by_hand, sys.executable, "-c", RAW_PYTHON)

    assert ended.returncode == 0, ended.stderr
    assert is_ours(json.loads(ended.stdout)[0])


def test_doctor_sees_that_it_answers(stand_in: StandIn) -> None:
    found = {row["name"]: row for row in json.loads(stand_in.cogyard("doctor", "--json").stdout)}

    assert found["stand-in"]["state"] == "ok"
