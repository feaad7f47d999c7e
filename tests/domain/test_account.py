"""What a token allows: never more than any of those who have a say in it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.account import (
    Account,
    AccountKind,
    Member,
    Role,
    Scope,
    Token,
    caller_of,
    in_order,
    scopes_of,
)
from cogyard.domain.values import AccountId, TokenId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = st.sampled_from(Role)
SCOPES = st.frozensets(st.sampled_from(Scope))


def account(role: Role) -> Account:
    return Account(id=AccountId(1), kind=AccountKind.user, username="ada", name="Ada", created_at=NOW, role=role)


def member(role: Role) -> Member:
    return Member(organization=AccountId(1), account=AccountId(2), username="bob", role=role, since=NOW)


def token(scopes: frozenset[Scope], holder: AccountId | None = None) -> Token:
    return Token(
        id=TokenId(1), account=AccountId(1), name="t", prefix="r8_", created_at=NOW, scopes=scopes, member=holder
    )


def test_each_role_holds_the_ones_before_it() -> None:
    told = {role.value: [scope.value for scope in in_order(role.scopes)] for role in Role}

    assert told == {
        "viewer": ["read"],
        "runner": ["read", "run"],
        "publisher": ["read", "run", "write"],
        "admin": ["read", "run", "write", "admin"],
    }


@given(SCOPES, ROLES)
def test_a_token_allows_what_it_was_made_for_within_its_accounts_role(scopes: frozenset[Scope], role: Role) -> None:
    allowed = scopes_of(token(scopes), account(role), None)

    assert allowed <= scopes
    assert allowed - {Scope.admin} == (scopes & role.scopes) - {Scope.admin}
    assert (Scope.admin in allowed) == (Scope.admin in scopes)  # everybody administers herself


@given(SCOPES, ROLES, ROLES)
def test_a_held_token_allows_no_more_than_the_members_role(
    scopes: frozenset[Scope], of_account: Role, of_member: Role
) -> None:
    held = token(scopes, AccountId(2))

    allowed = scopes_of(held, account(of_account), member(of_member))

    assert allowed <= scopes_of(token(scopes), account(of_account), None) & of_member.scopes
    assert scopes_of(held, account(of_account), None) == frozenset()  # she has left


@given(SCOPES, ROLES, ROLES)
def test_a_lower_role_never_allows_more(scopes: frozenset[Scope], one: Role, other: Role) -> None:
    lower, higher = sorted((one, other), key=list(Role).index)

    assert scopes_of(token(scopes), account(lower), None) <= scopes_of(token(scopes), account(higher), None)


@given(SCOPES, ROLES)
def test_only_an_admins_admin_token_administers_the_yard(scopes: frozenset[Scope], role: Role) -> None:
    caller = caller_of(token(scopes), account(role), None)

    assert caller.is_admin == (role is Role.admin and Scope.admin in scopes)


@given(st.integers(-10, 10))
def test_a_token_ends_in_the_moment_that_was_said(seconds: int) -> None:
    ends = Token(id=TokenId(1), account=AccountId(1), name="t", prefix="", created_at=NOW, expires_at=NOW)

    assert ends.is_expired(NOW + timedelta(seconds=seconds)) == (seconds >= 0)
