"""What the scheduler looks at and what it may do: demand, wants, instances, the machine → starts, stops, reasons.

The decision itself is `domain.policy.decide`; `domain.reasons` puts into words why somebody waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cogyard.domain.habit import Habit
from cogyard.domain.hardware import Machine, Needs, Share, Shortage
from cogyard.domain.instance import Instance
from cogyard.domain.values import InstanceId, JsonObject, QueueId

TURN = timedelta(seconds=15)
"""How long the instances of one queue may be busy while another queue has none and waits."""

CALM = timedelta(seconds=15)
"""How long an instance is idle before it gives way to one that is kept warm unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Predictions of one queue that wait for an instance; `since` is when the oldest was created.

    What is not yet certain (its prediction is not stored) takes room that is free, and makes none.
    """

    queue: QueueId
    queued: int
    since: datetime
    is_certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of a queue that asks for instances, has some, or may have: as the store tells it."""

    queue: QueueId
    hardware: str = "cpu"
    min_instances: int = 0
    #: None: as many as are of use
    max_instances: int | None = None
    priority: int = 0
    #: predictions at a time in one instance
    slots: int = 1
    wants_gpu: bool = False
    #: an idle instance may be of use; that of a former release or of a training is not
    is_current: bool = True
    #: how the model's owner wants its instances to be kept
    settings: JsonObject = field(default_factory=dict)
    #: `owner/name` of the model or deployment, for people
    name: str = ""
    #: everybody may know the name
    is_public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What instances of a queue are and how many of them there may be, with all settings worked out."""

    queue: QueueId
    needs: Needs
    min_instances: int = 0
    #: None: as many as the machine's processors allow
    max_instances: int | None = None
    priority: int = 0
    #: predictions at a time in one instance
    slots: int = 1
    idle_timeout: timedelta = timedelta(minutes=5)
    #: up to which its arrivals may lengthen that
    longest_idle: timedelta = timedelta(minutes=5)
    is_current: bool = True
    #: what others may call it
    name: str = "another model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Instances of a queue failed so many times in a row; until then none is started unless somebody waits.

    From `STUBBORN` failures on, those who wait do so until then too.
    """

    failures: int
    until: datetime
    reason: str


STUBBORN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a decision is made of. `instances` are those that are not over.

    `served` says when a queue last had an instance; `habits` what is known of some.
    """

    now: datetime
    machine: Machine
    demand: Sequence[Demand] = ()
    wants: Mapping[QueueId, Want] = field(default_factory=dict)
    instances: Sequence[Instance] = ()
    habits: Mapping[QueueId, Habit] = field(default_factory=dict)
    rests: Mapping[QueueId, Rest] = field(default_factory=dict)
    served: Mapping[QueueId, datetime] = field(default_factory=dict)
    turn: timedelta = TURN


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance for the queue on that share of the machine; `reason` is for people."""

    queue: QueueId
    share: Share
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the instance once what runs has ended; `reason` is for people."""

    instance: InstanceId
    reason: str


Action = Start | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Booting:
    """It waits for an instance that is being set up since then."""

    since: datetime
    #: seconds that it took before
    usually: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """It waits for one of so many instances to have a free slot."""

    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """The machine has no room; `holders` are the names of those who have what is missing."""

    shortage: Shortage
    hardware: str
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Its instances failed again and again; the next one is tried then."""

    rest: Rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled:
    """Its owner allows no instance."""


Wait = Booting | Busy | Short | Resting | Disabled
"""Why predictions of a queue wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, stops first, and why those wait who wait."""

    actions: Sequence[Action]
    waits: Mapping[QueueId, Wait] = field(default_factory=dict)
