"""kombu's Redis transport (kombu 5.7), made safe against the death of a consumer, and bounded.

kombu takes a message with BRPOP and notes afterwards that it is not acknowledged. A consumer that is killed in between
loses the message, and while a consumer is busy there is always one in between. Here one script, which Redis runs as a
whole, takes messages and notes them; a blocking command that changes nothing waits for them.
"""

import time
import uuid
from collections.abc import Iterator
from queue import Empty
from typing import Any

from kombu.transport import redis, virtual  # noqa: TID253 - no task loads this module
from kombu.utils.encoding import bytes_to_str  # noqa: TID253
from kombu.utils.json import loads  # noqa: TID253

from coinrequest.channel import topology

# KEYS: the index and the hash of messages that are not acknowledged, the lists of the queue by priority.
# ARGV: the time, how many, a new unique text, the name of the queue.
# A message that comes back goes to this queue alone (by the default exchange), not to all that once got it.
_TAKE = """
local taken = {}
for list = 3, #KEYS do
    while #taken < tonumber(ARGV[2]) do
        local item = redis.call('RPOP', KEYS[list])
        if not item then break end
        local fine, message = pcall(cjson.decode, item)
        local properties = fine and type(message) == 'table' and message.properties
        local tag = type(properties) == 'table' and properties.delivery_tag
        if type(tag) ~= 'string' or type(properties.delivery_info) ~= 'table' then
            -- Not from kombu. It gets an envelope, so that it can be refused like any other.
            tag = ARGV[3] .. #taken
            item = cjson.encode({body = item, headers = {}, properties = {
                delivery_tag = tag, delivery_info = {exchange = '', routing_key = ARGV[4]}}})
        end
        redis.call('ZADD', KEYS[1], ARGV[1], tag)
        redis.call('HSET', KEYS[2], tag, '[' .. item .. ',"",' .. cjson.encode(ARGV[4]) .. ']')
        taken[#taken + 1] = item
    end
end
return taken
"""


class QoS(redis.QoS):  # type: ignore[misc]
    """Messages are noted as not acknowledged when they are taken, not when they arrive."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message that Redis has noted already."""
        virtual.QoS.append(self, message, delivery_tag)


class Channel(redis.Channel):  # type: ignore[misc]
    """Waits for messages without taking any, and takes as many as the consumer has room for."""

    QoS = QoS

    def _brpop_start(self, timeout: float | None = None) -> None:
        (queue,) = self.active_queues
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        # From the end of a list to the end of the same list: it waits, and changes nothing (Redis 6.2).
        self.client.connection.send_command(
            "BLMOVE", queue, queue, "RIGHT", "RIGHT", self.brpop_timeout if timeout is None else timeout
        )

    def _brpop_read(self, **options: Any) -> bool:
        try:
            self.client.parse_response(self.client.connection, "BLMOVE", **options)
        except self.connection_errors:
            # So that the next look connects again.
            self.client.connection.disconnect()
            raise
        finally:
            self._in_poll = None
        if self._closing:
            raise Empty()
        # Also when the time was over: only one of the lists of the queue was waited for.
        (queue,) = self.active_queues
        found = False
        for message in self._take(queue):
            found = True
            self.connection._deliver(message, queue)
        if not found:
            raise Empty()
        return True

    def _take(self, queue: str) -> Iterator[dict[str, Any]]:
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps]
        room = self.qos.can_consume_max_estimate()
        with self.conn_or_acquire() as client:
            items = client.register_script(_TAKE)(
                keys=[self.unacked_index_key, self.unacked_key, *lists],
                args=[time.time(), room or 1, f"{uuid.uuid4()}-", queue],
                client=client,
            )
        for item in items:
            payload = loads(bytes_to_str(item))
            yield payload if self._is_readable(payload) else _wrapped(payload)

    def _is_readable(self, payload: dict[str, Any]) -> bool:
        try:
            self.Message(payload, channel=self)
        except Exception:  # whatever a foreign publisher can make kombu stumble over
            return False
        return isinstance(payload.get("headers"), dict)

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        if queue == topology.JOB_QUEUE:
            return
        with self.conn_or_acquire() as client:
            client.ltrim(queue, 0, topology.LONGEST_QUEUE - 1)
            if queue.startswith(topology.PRIVATE_QUEUE_PREFIX) and client.ttl(queue) < 0:
                # A reader empties its queue, which makes a new one; what is not emptied has lost its reader.
                client.expire(queue, topology.PRIVATE_QUEUE_SECONDS)


def _wrapped(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope around a message that cannot be read, so that somebody refuses it with a reason."""
    return {
        "body": str(payload.get("body")),
        "headers": {},
        "properties": {
            "delivery_tag": payload["properties"]["delivery_tag"],
            "delivery_info": payload["properties"]["delivery_info"],
        },
    }


class Transport(redis.Transport):  # type: ignore[misc]
    """kombu's transport with the channel above."""

    Channel = Channel
