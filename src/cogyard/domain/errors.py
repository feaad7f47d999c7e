"""What can go wrong, as one tree. `api.errors` maps each leaf to its wire form; nothing else knows status codes.

CogyardError
├── Unauthenticated        no token, or one that is not known
├── Forbidden              the caller may see the thing and not do this to it
├── NotFound               there is no such thing, or the caller may not see it
├── InvalidRequest         the request itself is malformed
├── UnsupportedMedia       the body is of a kind that is not taken here
├── InvalidFields          a body or an input breaks its schema; names every field at fault
├── InvalidResource        a field of a model (or other resource) has an unusable value
├── InvalidVersion         the version that was named does not exist
├── Conflict               the name is taken, or the thing is in use
├── Disabled               the deployment takes no predictions now
├── BreakingChange         a new version would break the callers of an official model
├── RateLimited            too many requests in too short a time
├── QueueFull              too many predictions wait for the same model or deployment already
├── BudgetUsedUp           what the caller may use in this period is used up
├── TooLarge               more bytes than the limit allows
├── StorageFull            the disk has no room for it
├── KeyUnusable            the key of the secrets is gone, or is another one
├── BuildFailed            a pushed folder does not become a version
├── SetupFailed            a Cog server did not come up
├── MachineShort           the machine lacks something for now that a start needs
└── AlreadyFinished        an event came for a prediction that has ended
"""

from dataclasses import dataclass


class CogyardError(Exception):
    """The root: whatever Cogyard raises on purpose."""


class Unauthenticated(CogyardError):
    """No token was given, or it is not a valid one; `str()` is the sentence for the caller."""


class Forbidden(CogyardError):
    """The caller may not do this; `str()` says why."""


class NotFound(CogyardError):
    """Nothing is there that this caller may see. Without a message the contract's generic sentence is used."""


class InvalidRequest(CogyardError):
    """The request cannot be understood; `str()` says what to change."""


class UnsupportedMedia(CogyardError):
    """The body's content type is not taken here; `str()` says which one is."""


@dataclass(frozen=True, slots=True)
class InvalidField:
    """One fault in a body or an input, in the grammar of `api-contract.md` §1.5.

    `kind` is gojsonschema's error type (`required`, `invalid_type`, …), `field` the dotted path of the value or,
    for a missing key, of its container; `""` is the body's root.
    """

    kind: str
    field: str
    description: str


class InvalidFields(CogyardError):
    """A body or an input breaks its schema; `.fields` holds every fault, not only the first."""

    def __init__(self, fields: list[InvalidField]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.description}" for fault in fields))
        self.fields = fields


class InvalidResource(CogyardError):
    """Fields of a resource have unusable values: `.faults` names each, with what would be usable."""

    def __init__(self, field: str, message: str, *more: tuple[str, str]) -> None:
        super().__init__(message)
        self.faults = ((field, message), *more)


class InvalidVersion(CogyardError):
    """The version does not exist, or the caller may not use it; without a message the contract's sentence is used."""


class Conflict(CogyardError):
    """A name is taken, `.field` says which; or, without a field, the thing is not in the state for it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Disabled(CogyardError):
    """The deployment takes no predictions now; `str()` says what to change."""


class BreakingChange(CogyardError):
    """A version would break the callers of an official model; `.changes` says how, a sentence each."""

    def __init__(self, changes: list[str]) -> None:
        lines = "".join(f"\n- {change}" for change in changes)
        super().__init__(
            f"The new version would break callers of this official model:{lines}\n"
            "Push or promote it with --force (?force=true) if you mean it."
        )
        self.changes = changes


class RateLimited(CogyardError):
    """Too many requests; `.retry_after` is in how many whole seconds the next one is welcome."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Request was throttled. Your rate limit resets in ~{retry_after}s.")
        self.retry_after = retry_after


class QueueFull(CogyardError):
    """So many predictions wait for the model or deployment that no more are taken now."""


class BudgetUsedUp(CogyardError):
    """A budget has no room for a new prediction; `.title` says which limit it was.

    `.retry_after` is in how many whole seconds it starts anew.
    """

    def __init__(self, message: str, title: str, retry_after: int) -> None:
        super().__init__(message)
        self.title = title
        self.retry_after = retry_after


class TooLarge(CogyardError):
    """More bytes than `.limit_bytes` were sent."""

    def __init__(self, message: str, limit_bytes: int) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class StorageFull(CogyardError):
    """The data folder's disk has no room; nothing was stored."""


class KeyUnusable(CogyardError):
    """What was sealed cannot be opened, or nothing can be sealed; `str()` says what to do."""


class BuildFailed(CogyardError):
    """A pushed folder does not become a version; `str()` names the file and line, or the command, at fault."""


class SetupFailed(CogyardError):
    """A Cog server did not come up; `str()` gives the reason, `.logs` what it printed.

    `.died` tells a process that was killed or crashed, which is worth another try, from a setup that raised or took
    too long, which is not.
    """

    def __init__(self, reason: str, logs: str = "", *, died: bool = False) -> None:
        super().__init__(reason)
        self.logs = logs
        self.died = died


class MachineShort(CogyardError):
    """The machine lacks something for now that a start needs, such as a port or room on its disk; `str()` says what.

    No model is to blame for that, so nobody who waits for one is told that it failed.
    """


class AlreadyFinished(CogyardError):
    """An event came for a prediction that has ended; it changes nothing."""
