"""What runs and what waits (an extension): instances, queues, the machine."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note
from cogyard.api.request import parse_choice, parse_page
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.hardware import Hardware
from cogyard.domain.queue import is_training
from cogyard.domain.values import InstanceId, QueueId
from cogyard.overview import PAGE_SIZE, MachineUse, Row, Shown, Subject
from cogyard.ports import Page

HIDDEN = "hidden"
"""In place of an official model's version, as predictions of it have it."""


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Overview(yard)
    guarded = yard.authenticated
    return [
        resource("/instances", GET=guarded(handlers.list, Scope.read)),
        resource("/instances/{id}", GET=guarded(handlers.get, Scope.read)),
        resource("/instances/{id}/stop", POST=guarded(handlers.stop, Scope.write)),
        resource("/queue", GET=guarded(handlers.queue, Scope.read)),
        resource("/machine", GET=guarded(handlers.machine, Scope.read)),
    ]


@dataclass(frozen=True, slots=True)
class _Overview:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        if parse_choice(request, "all", ["true", "false"], "false") == "true":
            page = await self.yard.overview.every(caller, parse_page(request, PAGE_SIZE))
        else:
            page = Page(await self.yard.overview.live(caller))
        return self.yard.page(request, page, [_instance(caller, one) for one in page.items])

    async def get(self, request: Request, caller: Caller) -> Response:
        life = await self.yard.overview.get(caller, _id(request))
        shown = _instance(caller, life.shown)
        shown["events"] = [{"at": one.at, "state": one.state.value, "reason": one.reason} for one in life.events]
        if life.setup_logs is not None:
            shown["setup_logs"] = life.setup_logs
        return answer(shown)

    async def stop(self, request: Request, caller: Caller) -> Response:
        stopped = await self.yard.overview.stop(caller, _id(request))
        note(request, **{kind: name for kind, name in _target(stopped.subject).items() if isinstance(name, str)})
        return answer(_instance(caller, stopped))

    async def queue(self, _request: Request, caller: Caller) -> Response:
        return answer({"results": [_row(row) for row in await self.yard.overview.queue(caller)]})

    async def machine(self, _request: Request, caller: Caller) -> Response:
        return answer(_machine(await self.yard.overview.machine(caller)))


def _id(request: Request) -> InstanceId:
    return InstanceId(request.path_params["id"])


def _target(subject: Subject) -> dict[str, object]:
    return {"model": subject.model, "deployment": subject.deployment, "version": subject.version or HIDDEN}


def _kind(queue: QueueId) -> str:
    return "training" if is_training(queue) else "prediction"


def _instance(caller: Caller, shown: Shown) -> dict[str, object]:
    one = shown.instance
    told: dict[str, object] = {
        "id": one.id,
        **_target(shown.subject),
        "kind": _kind(one.queue),
        "state": one.state.value,
        "since": shown.since,
        "reason": one.reason,
        "created_at": one.created_at,
        "ready_at": one.ready_at,
        "ended_at": one.ended_at,
        "hardware": one.share.hardware,
        "cpus": one.share.cpus,
        "memory": shown.memory,
        "memory_limit": one.share.memory_limit or None,
        "peak_memory": one.peak_memory,
        "gpus": list(one.share.gpus),
        "slots": one.slots,
        "predictions": list(shown.predictions),
        "boot": one.boot,
    }
    if caller.is_admin:
        told["pid"] = one.pid
    return told


def _row(row: Row) -> dict[str, object]:
    told: dict[str, object] = {
        **_target(row.subject),
        "kind": _kind(row.queue),
        "queued": row.queued,
        "oldest": row.oldest,
        "reason": row.reason,
        "instances": {state.value: count for state, count in row.instances.items()},
    }
    if row.subject.priority:
        told["priority"] = row.subject.priority
    if row.waiting:
        told["predictions"] = [{"id": one.id, "created_at": one.created_at} for one in row.waiting]
    return told


def _machine(use: MachineUse) -> dict[str, object]:
    return {
        "cpus": use.machine.cpus,
        "memory": use.machine.memory,
        "memory_reserved": use.memory_reserved,
        "gpus": [
            {"index": gpu.index, "name": gpu.name, "memory": gpu.memory, "instances": list(held)}
            for gpu, held in use.gpus
        ],
        "instances": use.instances,
        "max_instances": use.machine.max_instances,
        "hardware": [_hardware(kind, use) for kind in use.kinds],
    }


def _hardware(kind: Hardware, use: MachineUse) -> dict[str, object]:
    told: dict[str, object] = {
        "sku": kind.sku,
        "name": kind.name,
        "cpus": kind.cpus,
        "memory": kind.memory,
        "gpus": kind.gpus,
        "gpu_memory": kind.gpu_memory,
    }
    if kind.sku in use.prices:
        told["price"] = f"{use.prices[kind.sku]:f}"
    return told
