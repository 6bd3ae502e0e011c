"""Builds the Job-Scheduler's loops as the settings say: what follows an end, what is due, and who is told."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from rota import outgoing
from rota.protocol.participants import Deliveries, Job
from rota.protocol.participants import Schedules as Calendar
from rota.scheduler import loop, timekeeper
from rota.scheduler.known import known_policies
from rota.scheduler.policies import Policies
from rota.settings import Settings
from rota.world import World


class Scheduling(NamedTuple):
    """Its loops, each to run until cancelled; and its policies, to be closed behind them."""

    tasks: list[Callable[[], Coroutine[Any, Any, None]]]
    policies: Policies


def scheduling(settings: Settings, world: World, job: Job, calendar: Calendar, deliveries: Deliveries) -> Scheduling:
    """The scheduler of this process. Raises InvalidRequest naming a setting that cannot be read."""
    urls, secrets = (settings.pairs(f"ROTA_POLICY_{what}") for what in ("URLS", "SECRETS"))
    policies = known_policies(urls, secrets, settings.duration_s("ROTA_POLICY_TIMEOUT_S"), world)
    post = outgoing.post(settings, deliveries, world)
    tasks: list[Callable[[], Coroutine[Any, Any, None]]] = [
        lambda: loop.run(job, world, policies),
        lambda: timekeeper.keep(calendar, world),
        post.run,
    ]
    return Scheduling(tasks, policies)
