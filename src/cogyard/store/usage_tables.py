"""The relational schema of what was used and of what may be: sums of usage by day, and budgets."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from cogyard.store.columns import Number, Time, metadata

#: sums; times are microseconds, quantities millionths of a unit, costs billionths of the yard's currency
usage = Table(
    "usage",
    metadata,
    Column("account", Number, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    #: days since 1970 in UTC
    Column("day", Integer, primary_key=True, autoincrement=False),
    #: 0 for what no token asked for
    Column("token", Number, primary_key=True, autoincrement=False),
    #: `owner/name`, as it was called then
    Column("model", Text, primary_key=True),
    #: `owner/name`, or empty
    Column("deployment", Text, primary_key=True),
    #: prediction, training or instance
    Column("kind", String(16), primary_key=True),
    Column("hardware", String(64), primary_key=True),
    #: what `quantity` counts, or empty
    Column("unit", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("run_time", BigInteger, nullable=False),
    Column("uptime", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False),
    #: 0 for the whole account
    Column("token", Number, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("period", String(8), nullable=False),
    #: billionths of the yard's currency, or microseconds
    Column("amount", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    sqlite_autoincrement=True,
)
Index("uq_budgets_which", budgets.c.account, budgets.c.token, budgets.c.kind, budgets.c.period, unique=True)
