"""`cogyard stand-in` without its server: what it changes, for whom, and what it says where it cannot."""

import json
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cogyard.cli.stand_in import hosts_lines, leads_here, with_files_first, with_names
from cogyard.tls import STAND_IN_HOSTS, STAND_IN_NAMES, ensure_certificates
from tests.yard import TOKEN, Yard, free_port

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def names_in(certificate: Path) -> set[str]:
    # the decoder of the test suite of CPython's own ssl module: it reads a file, and opens no connection
    decoded = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]
    return {name for _, name in decoded["subjectAltName"]}


def test_the_hosts_file_keeps_what_it_had_but_for_the_names() -> None:
    before = "127.0.0.1 localhost\n10.0.0.9 api.replicate.com gateway  # mine\n::1 localhost\n"

    after = with_names(before)

    assert after == hosts_lines() + "127.0.0.1 localhost\n::1 localhost\n"
    assert leads_here(after)
    assert not leads_here(before)
    assert not leads_here("# 127.0.0.1 " + " ".join(STAND_IN_HOSTS))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hosts: files dns\n", "hosts: files dns\n"),
        (
            "passwd: files\nhosts:  mymachines resolve [!UNAVAIL=return] files dns # x\n",
            "passwd: files\nhosts: files mymachines resolve [!UNAVAIL=return] dns\n",
        ),
        ("hosts: dns\n", "hosts: files dns\n"),
    ],
)
def test_the_hosts_file_is_asked_first(before: str, after: str) -> None:
    assert with_files_first(before) == after


@pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")
@pytest.mark.parametrize("as_user", [False, True], ids=["root", "anybody"])
def test_a_file_has_other_contents_for_one_program_only(tmp_path: Path, as_user: bool) -> None:
    path = tmp_path / "names"
    path.write_text("outside")
    program = f"""
import os
from pathlib import Path
from cogyard.cli.namespace import NoNamespace, replace_files
path = Path({str(path)!r})
try:
    replace_files({{path: "inside"}}, as_user={as_user})
except NoNamespace as error:
    print(f"no: {{error}}", flush=True)
    raise SystemExit
os.execvp("sh", ["sh", "-c", "cat {path}; id -u"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    if done.stdout.startswith("no: "):
        pytest.skip(f"this machine has no namespaces for us: {done.stdout.strip()}")
    user = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout
    assert done.stdout == f"inside{user}"
    assert path.read_text() == "outside"


def test_the_certificate_has_the_names_only_while_they_are_wanted(tmp_path: Path) -> None:
    without = names_in(ensure_certificates(tmp_path, ["127.0.0.1"], NOW).certificate_file)
    with_them = names_in(ensure_certificates(tmp_path, ["127.0.0.1", *STAND_IN_NAMES], NOW).certificate_file)
    again = names_in(ensure_certificates(tmp_path, ["127.0.0.1"], NOW + timedelta(days=1)).certificate_file)

    assert with_them == without | set(STAND_IN_NAMES)
    assert without == again
    assert not any("replicate" in name for name in without)


def test_a_server_is_no_stand_in_unless_told(yard: Yard) -> None:
    ended = yard.cogyard("stand-in", "--", "true")

    assert not any("replicate" in name for name in names_in(yard.data / "tls" / "server.pem"))
    assert ended.returncode == 5
    assert "127.0.0.1:443" in ended.stderr
    assert "--stand-in" in ended.stderr
    assert TOKEN not in ended.stderr + ended.stdout


def test_where_there_never_was_a_server_it_says_what_to_do(tmp_path: Path) -> None:
    ended = Yard(tmp_path).cogyard("stand-in", "--json", "--", "true")

    assert ended.returncode == 5
    assert "COGYARD_DATA" in json.loads(ended.stdout)["detail"]


def test_the_lines_for_a_hosts_file_can_be_had_any_time(tmp_path: Path) -> None:
    told = Yard(tmp_path).cogyard("stand-in", "--print-hosts")
    nothing = Yard(tmp_path).cogyard("stand-in")

    assert (told.returncode, told.stdout) == (0, hosts_lines())
    assert (nothing.returncode, nothing.stdout) == (2, "")


def test_a_taken_port_is_told(tmp_path: Path, yard: Yard) -> None:
    other = Yard(tmp_path, {"stand_in": "true", "stand_in_port": str(yard.port)})
    ended = other.cogyard("serve")

    assert ended.returncode == 5
    assert f"Port {yard.port} of 127.0.0.1 cannot be used" in ended.stderr
    assert "COGYARD_STAND_IN_PORT" in ended.stderr


def test_answers_name_the_host_that_the_client_used_even_beside_a_public_url(own_yard: Yard) -> None:
    own_yard.settings |= {"stand_in": "true", "stand_in_port": str(free_port()), "public_url": "https://yard.example"}
    own_yard.start()

    def named(host: str) -> str:
        headers = {"Host": host}
        document = httpx.get(f"{own_yard.url}/openapi.json", headers=headers, trust_env=False).json()
        return str(document["servers"][0]["url"])

    assert named("api.replicate.com") == "http://api.replicate.com/v1"
    assert named("127.0.0.1") == "https://yard.example/v1"
    assert any(name == "api.replicate.com" for name in names_in(own_yard.data / "tls" / "server.pem"))
