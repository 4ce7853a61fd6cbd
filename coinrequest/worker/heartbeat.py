"""Touches a file while an agent's event loop runs and its broker is connected, for a cheap health check.

`[celery] extra_celery_config` names this module in Celery's `imports`. Celery's own check, `celery inspect ping`,
starts Python with Celery each time: every few seconds, that takes a tenth of a core for each agent.
"""

from pathlib import Path

from celery.signals import heartbeat_sent  # noqa: TID253 - loaded by agents alone, once, before the forks

from coinrequest import settings
from coinrequest.worker import intake

_file = settings.heartbeat_file()


def touch(**_: object) -> None:
    """Write why the agent takes no tasks; nothing if it takes them.

    Celery calls this every 2 s from its event loop, while the broker is connected.
    """
    if _file is not None:
        Path(_file).write_text(intake.problem() or "")


heartbeat_sent.connect(touch)
