"""The relational schema of instances and of the steps of their lives."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, false

from cogyard.store.columns import Json, Number, Time, metadata

instances = Table(
    "instances",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("queue", String(100), nullable=False, index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("created_at", Time, nullable=False, index=True),
    Column("slots", Integer, nullable=False),
    Column("pid", Integer),
    Column("pid_started", Float(53)),
    Column("ready_at", Time),
    Column("idle_since", Time),
    Column("ended_at", Time, index=True),
    Column("reason", Text),
    Column("setup_logs", Text, nullable=False),
    #: its part of the machine
    Column("share", Json),
    Column("boot", Json),
    Column("peak_memory", BigInteger, nullable=False, server_default="0"),
    #: up to when its uptime is in the sums of usage, and whether nothing more of it will be
    Column("metered_until", Time),
    Column("is_metered", Boolean, nullable=False, server_default=false()),
)
_IS_UNMETERED = instances.c.is_metered == false()
Index("ix_instances_unmetered", instances.c.created_at, sqlite_where=_IS_UNMETERED, postgresql_where=_IS_UNMETERED)

instance_events = Table(
    "instance_events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("instance", String(26), ForeignKey("instances.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Time, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
)
