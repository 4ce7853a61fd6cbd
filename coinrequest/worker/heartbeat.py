"""Touches a file while an agent's loop turns and its broker is connected, so that a health check costs next to nothing.

`[celery] extra_celery_config` names this module in Celery's `imports`. Celery's own check, `celery inspect ping`,
starts a Python with Celery each time: every few seconds, that is a tenth of a core for each agent.
"""

from pathlib import Path

from celery.signals import heartbeat_sent  # noqa: TID253 - loaded by agents alone, once, before the forks

from coinrequest import settings
from coinrequest.worker import intake

_file = settings.heartbeat_file()


def touch(**_: object) -> None:
    """Say that the agent lives, and why it takes no tasks, if so.

    Celery calls it every 2 s, from its loop, while the connection stands.
    """
    if _file is not None:
        Path(_file).write_text(intake.trouble() or "")


heartbeat_sent.connect(touch)
