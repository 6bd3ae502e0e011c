"""Builds what tells others of events, as the settings say: the Job service's side, and the scheduler's."""

from rota.jobs.telling import Keeping, Telling
from rota.protocol.participants import Deliveries, Environments
from rota.protocol.webhook import LEASE_S
from rota.scheduler.sender import Sender
from rota.scheduler.tries import Patience
from rota.scheduler.webhooks import Post
from rota.settings import Settings
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.events import SqliteEvents
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.sqlite.webhooks import SqliteWebhooks
from rota.world import World


def telling(
    settings: Settings, database: Database, jobs: SqliteJobs, environments: Environments, world: World
) -> Telling:
    """Followers and webhooks of the jobs in that database; it is woken by each commit there."""
    events = SqliteEvents(database)
    keeping = Keeping(
        events_max=settings.count("ROTA_EVENTS_MAX"),
        events_age_s=settings.age_s("ROTA_EVENTS_AGE_S"),
        deliveries_age_s=settings.age_s("ROTA_DELIVERIES_AGE_S"),
        dead_age_s=settings.age_s("ROTA_DEAD_DELIVERIES_AGE_S"),
        give_up_s=settings.age_s("ROTA_WEBHOOK_GIVE_UP_S"),
        networks=settings.networks("ROTA_WEBHOOK_NETWORKS"),
    )
    made = Telling(events, SqliteWebhooks(database, events), jobs, environments, world, keeping)
    database.writer.on_commit = made.wake
    return made


def post(settings: Settings, deliveries: Deliveries, world: World) -> Post:
    """The loop that sends deliveries."""
    timeout_s = settings.duration_s("ROTA_WEBHOOK_TIMEOUT_S", LEASE_S)
    sender = Sender(world, settings.networks("ROTA_WEBHOOK_NETWORKS"), timeout_s)
    patience = Patience(settings.duration_s("ROTA_WEBHOOK_RETRY_S"), settings.age_s("ROTA_WEBHOOK_GIVE_UP_S"))
    return Post(deliveries, world, sender, patience)
