"""What is sealed opens where it belongs, and nowhere else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogyard.domain.errors import KeyUnusable
from cogyard.domain.secret import Holder, HolderKind
from cogyard.domain.values import DeploymentId, ModelId
from cogyard.vault import Vault

HERE = Holder(HolderKind.model, ModelId(7)).context("API_KEY")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return Vault(tmp_path_factory.mktemp("vault") / "secrets.key")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.binary(max_size=40))
def test_a_value_comes_back_as_it_was(vault: Vault, value: str, context: bytes) -> None:
    sealed = vault.seal(value, context)

    assert vault.open(sealed, context) == value
    assert sealed != vault.seal(value, context)


@pytest.mark.parametrize(
    "elsewhere",
    [
        Holder(HolderKind.model, ModelId(8)).context("API_KEY"),
        Holder(HolderKind.deployment, DeploymentId(7)).context("API_KEY"),
        Holder(HolderKind.model, ModelId(7)).context("OTHER"),
    ],
)
def test_a_row_that_was_moved_does_not_open(vault: Vault, elsewhere: bytes) -> None:
    with pytest.raises(KeyUnusable, match="was changed in the database"):
        vault.open(vault.seal("value", HERE), elsewhere)


@given(st.data())
def test_a_value_that_was_changed_does_not_open(vault: Vault, data: st.DataObject) -> None:
    sealed = bytearray(vault.seal("value", HERE))
    place = data.draw(st.integers(1, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(KeyUnusable):
        vault.open(bytes(sealed), HERE)


def test_two_vaults_on_one_file_have_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    sealed = Vault(path).seal("value", HERE)

    assert Vault(path).open(sealed, HERE) == "value"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secrets.key"]


def test_a_key_that_is_gone_is_not_made_anew_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    sealed = Vault(path).seal("value", HERE)
    path.unlink()

    with pytest.raises(KeyUnusable, match="is gone: bring the right one back"):
        Vault(path).open(sealed, HERE)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="cannot be written: No such file"):
        Vault(tmp_path / "no" / "secrets.key").seal("value", HERE)
