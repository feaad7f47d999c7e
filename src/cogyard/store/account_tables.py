"""The relational schema of accounts: who they are, who acts for them, by which tokens, and what was done."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from cogyard.store.columns import Json, Number, Time, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    #: the username in lower case: names that differ in case only are one name
    Column("key", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("username", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("github_url", Text),
    Column("avatar_url", Text),
    Column("role", String(16), nullable=False, server_default="publisher"),
    Column("disabled_at", Time),
    Column("deleted_at", Time),
)

IS_OUT = accounts.c.disabled_at.is_not(None) | accounts.c.deleted_at.is_not(None)
"""Accounts for which nobody may act."""

members = Table(
    "members",
    metadata,
    Column("organization", Number, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("account", Number, ForeignKey("accounts.id"), primary_key=True, autoincrement=False, index=True),
    Column("role", String(16), nullable=False),
    Column("since", Time, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    #: what a secret is found by
    Column("prefix", String(12), nullable=False, index=True),
    #: SHA-256 of the secret, in hex: what it is recognised by
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Time, nullable=False),
    #: words of `domain.account.Scope`; null for all of them
    Column("scopes", Json),
    #: `owner/name` in lower case; null for every model
    Column("models", Json),
    #: the member who holds a token of an organization
    Column("member", Number),
    Column("expires_at", Time),
    Column("last_used_at", Time),
    Column("disabled_at", Time),
)

#: administrative acts: written before the act, completed by its outcome, never changed after
audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", Time, nullable=False),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False),
    Column("token", Number, nullable=False),
    Column("token_name", Text, nullable=False),
    Column("member", Number),
    Column("address", Text),
    Column("action", String(64), nullable=False),
    Column("target", Text, nullable=False),
    #: of the answer; null when the server died before it
    Column("status", Integer),
    Column("details", Json),
)
Index("ix_audit_account", audit.c.account, audit.c.number)
