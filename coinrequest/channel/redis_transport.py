"""The Redis transport of kombu (kombu 5.7), hardened against killed consumers and hostile messages.

kombu pops a message with BRPOP, and records only then that it is unacknowledged. A consumer that is killed in between
loses the message, and a busy consumer always has one in this state. Here, a script pops and records messages
atomically, and a blocking command that changes nothing waits for them.

kombu also reads a message of any size, again when it restores it, and raises an error if a message is malformed, which
is then delivered again and again. Here, Redis returns no more of a message than the consumer accepts, and restores
messages without parsing them. A message that is not an envelope of kombu has a fault, or is its own body.
"""

import base64
import json
import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty
from typing import Any

from kombu.transport import redis, virtual  # noqa: TID253 - no task loads this module

from coinrequest.channel import topology
from coinrequest.channel.incoming import KEPT_BYTES, IncomingMessage
from coinrequest.limits import MEBIBYTE

log = logging.getLogger(__name__)

# No queue name contains a colon (`topology.QUEUE_NAME`, and the grammar of job types).
UNACKED_KEY = "coinrequest:channel:unacked"
UNACKED_INDEX_KEY = "coinrequest:channel:unacked-index"
# The keys of older gateways, which could collide with queue names. Their messages are restored as well.
_OLDER_UNACKED_KEY = "job-unacked"
_OLDER_UNACKED_INDEX_KEY = "job-unacked-index"
_RESTORE_BATCH = 1000
# A key that is written to see whether Redis accepts writes, and a key that never exists.
_WRITTEN = "coinrequest:channel:written"
_MISSING = "coinrequest:channel:nothing"
_PAUSE_SECONDS = 1

# Redis does not roll back a script that fails, so the script checks its keys first.
_CHECK = """
for place, kind in ipairs({'zset', 'hash'}) do
    local found = redis.call('TYPE', KEYS[place]).ok
    if found ~= kind and found ~= 'none' then
        return redis.error_reply('ERR ' .. KEYS[place] .. ' has the type ' .. found .. '; delete it')
    end
end
"""

# KEYS: the index and the hash of unacknowledged messages, and the lists of the queue by priority.
# ARGV: the number of messages, a unique prefix for tags, the maximum size, and the bytes to return of a larger message.
# A tag contains the list of its message, so that the message is restored to this list.
_TAKE = (
    _CHECK
    + """
local now = redis.call('TIME')[1]
local taken = {}
for list = 3, #KEYS do
    while #taken < tonumber(ARGV[1]) do
        local item = redis.call('RPOP', KEYS[list])
        if not item then break end
        local tag = ARGV[2] .. #taken .. ':' .. KEYS[list]
        redis.call('ZADD', KEYS[1], now, tag)
        redis.call('HSET', KEYS[2], tag, item)
        local size = #item
        if size > tonumber(ARGV[3]) then item = string.sub(item, 1, tonumber(ARGV[4])) end
        taken[#taken + 1] = {tag, item, size}
    end
end
return taken
"""
)

# KEYS: the index and the hash of unacknowledged messages. ARGV: the prefix of private queues and their expiry in
# seconds, the number of messages, the job queue, 'older' for the hash of an older gateway, and the minimum age of the
# messages, or '' and their tags. An older gateway stored [message, "exchange", "queue"], under tags of publishers.
_RESTORE = (
    _CHECK
    + """
local tags
if ARGV[6] == '' then
    tags = {unpack(ARGV, 7)}
else
    local until_then = redis.call('TIME')[1] - tonumber(ARGV[6])
    tags = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', until_then, 'LIMIT', 0, tonumber(ARGV[3]))
end
for _, tag in ipairs(tags) do
    local noted = redis.call('HGET', KEYS[2], tag)
    local item, list
    if noted and ARGV[5] == 'older' then
        item, list = string.match(noted, '^%[(.*), ?"[^"]*", ?"([^"]*)"%]$')
    else
        item, list = noted, string.match(tag, ':(.*)$')
    end
    if noted then
        list = list or ARGV[4]
        redis.call('RPUSH', list, item or noted)
        if string.sub(list, 1, #ARGV[1]) == ARGV[1] and redis.call('TTL', list) < 0 then
            redis.call('EXPIRE', list, ARGV[2])
        end
    end
    redis.call('HDEL', KEYS[2], tag)
    redis.call('ZREM', KEYS[1], tag)
end
return #tags
"""
)


@dataclass(frozen=True)
class _Taken:
    """A message that was popped from a list.

    Attributes:
        tag: its delivery tag.
        item: its bytes, or the beginning of a message that is too large.
        size: its size in bytes.
        largest: the maximum size.
    """

    tag: str
    item: bytes
    size: int
    largest: int


class Message(IncomingMessage):
    """A message received over Redis. A message that is not an envelope of kombu is its own body."""

    def __init__(self, taken: _Taken, channel: Any = None, **rest: Any) -> None:
        super().__init__(**_contents(taken), channel=channel, delivery_tag=taken.tag, **rest)


def _contents(taken: _Taken) -> dict[str, Any]:
    """Return the contents of kombu's envelope."""
    if taken.size > taken.largest:
        fault = f"the message has {taken.size} bytes on the broker; the limit is {taken.largest}"
        return {"body": taken.item, "fault": fault}
    try:
        envelope = json.loads(taken.item.decode())
        encoding = envelope["properties"].get("body_encoding")
        body = envelope.get("body")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {"body": taken.item}
    metadata = {
        "headers": envelope.get("headers"),
        "content_type": envelope.get("content-type"),
        "content_encoding": envelope.get("content-encoding"),
    }
    if not isinstance(body, str):
        return {"body": taken.item, "fault": "the message has no body; send one as text", **metadata}
    try:
        return {"body": _body(body, encoding), **metadata}
    except ValueError as error:
        return {"body": body.encode("utf-8", "surrogatepass"), "fault": str(error), **metadata}


def _body(body: str, encoding: object) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise ValueError("the body is not base64, although body_encoding says so") from None
    if encoding not in (None, "", "utf-8"):
        raise ValueError("the body_encoding is not supported; send base64 or utf-8")
    return body.encode("utf-8", "surrogatepass")


class QoS(redis.QoS):  # type: ignore[misc]
    """Leaves the record of unacknowledged messages to Redis."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Track a message that Redis has already recorded."""
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Delete a message. It does not use a transaction, which Redis refuses when its memory is full."""
        with self.channel.conn_or_acquire() as client:
            client.hdel(self.unacked_key, delivery_tag)
            client.zrem(self.unacked_index_key, delivery_tag)
        virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Restore one message."""
        self.channel.restore_unacked("", tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Restore the messages of all consumers that are unacknowledged for too long; only in every tenth call."""
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1) == 0:
            self.channel.restore_unacked(self.visibility_timeout)


class Channel(redis.Channel):  # type: ignore[misc]
    """Waits for messages without popping any, then pops as many as the consumer has room for.

    Attributes:
        largest_message: the maximum size of an envelope in bytes.
        refusal: why Redis refused the last write; empty if it accepted it. Messages are popped all the same, so that a
            Redis that they fill is drained.
    """

    QoS = QoS
    Message = Message
    unacked_key = UNACKED_KEY
    unacked_index_key = UNACKED_INDEX_KEY
    largest_message = MEBIBYTE
    refusal = ""
    _paused = False
    from_transport_options = (*redis.Channel.from_transport_options, "largest_message")

    def _brpop_start(self, timeout: float | None = None) -> None:
        (queue,) = self.active_queues
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        # BLMOVE from the end of a list to the end of the same list waits and changes nothing (Redis 6.2). Its reply
        # would be the whole message, so it is skipped. The reply of the SET after it means that the wait is over, and
        # tells whether Redis accepts writes. A Redis that refuses writes refuses BLMOVE too, and is polled instead.
        wait: tuple[Any, ...] = ("BLMOVE", queue, queue, "RIGHT", "RIGHT")
        wait += (self.brpop_timeout if timeout is None else timeout,)
        if self._paused:
            wait = ("XREAD", "BLOCK", _PAUSE_SECONDS * 1000, "STREAMS", _MISSING, "$")
        write = ("SET", _WRITTEN, 1, "PX", 1000)
        connection.send_packed_command(connection.pack_commands([("CLIENT", "REPLY", "SKIP"), wait, write]))

    def _brpop_read(self, **options: Any) -> bool:
        try:
            self.client.parse_response(self.client.connection, "SET", **options)
            self.refusal = ""
        except self.ResponseError as error:
            self.refusal = str(error)
        except self.connection_errors:
            # The next poll reconnects.
            self.client.connection.disconnect()
            raise
        finally:
            self._in_poll = None
        if self._closing:
            raise Empty()
        # Even after a time-out, because BLMOVE waits for only one of the lists of the queue.
        (queue,) = self.active_queues
        found = False
        for taken in self._take(queue, self.qos.can_consume_max_estimate() or 1):
            found = True
            self.connection._deliver(taken, queue)
        self._paused = bool(self.refusal) and not found
        if not found:
            raise Empty()
        return True

    def _get(self, queue: str, timeout: float | None = None) -> _Taken:
        for taken in self._take(queue, 1):
            return taken
        raise Empty()

    def _take(self, queue: str, count: int) -> Iterator[_Taken]:
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps]
        with self.conn_or_acquire() as client:
            items = client.register_script(_TAKE)(
                keys=[self.unacked_index_key, self.unacked_key, *lists],
                args=[count, f"{uuid.uuid4()}-", self.largest_message, KEPT_BYTES],
                client=client,
            )
        for tag, item, size in items:
            yield _Taken(tag.decode(), item, size, self.largest_message)

    def restore_unacked(self, age: float | str, *tags: str) -> None:
        """Return unacknowledged messages to the front of their lists.

        Args:
            age: restore the messages that were popped at least so many seconds ago; '' for those with the tags.
            tags: the tags of messages.
        """
        bounds = (topology.PRIVATE_QUEUE_PREFIX, topology.PRIVATE_QUEUE_SECONDS, _RESTORE_BATCH, topology.JOB_QUEUE)
        with self.conn_or_acquire() as client:
            script = client.register_script(_RESTORE)
            script([self.unacked_index_key, self.unacked_key], [*bounds, "", age, *tags], client)
            if age != "":
                try:
                    script([_OLDER_UNACKED_INDEX_KEY, _OLDER_UNACKED_KEY], [*bounds, "older", age], client)
                except self.ResponseError:
                    log.debug("The keys of older gateways have another type", exc_info=True)

    def _size(self, queue: str) -> int:
        """Return the number of messages in a queue, without a transaction, which a full Redis refuses."""
        with self.conn_or_acquire() as client:
            return sum(client.llen(self._q_for_pri(queue, priority)) for priority in self.priority_steps)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue unless it is bound already, because a full Redis refuses it and could not be drained."""
        member = self.sep.join([routing_key or "", pattern or "", queue or ""])
        keys = (self.keyprefix_queue % (exchange,), self.keyprefix_binding_permanent % (exchange,))
        with self.conn_or_acquire() as client:
            bound = queue not in self._expires and all(client.sismember(key, member) for key in keys)
        if not bound:
            super()._queue_bind(exchange, routing_key, pattern, queue)

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """Return the bindings of an exchange, without malformed entries."""
        return [binding for binding in super().get_table(exchange) if len(binding) == 3]

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        if queue == topology.JOB_QUEUE:
            return
        with self.conn_or_acquire() as client:
            client.ltrim(queue, 0, topology.LONGEST_QUEUE - 1)
            if queue.startswith(topology.PRIVATE_QUEUE_PREFIX) and client.ttl(queue) < 0:
                # A reader drains its queue, which deletes the list. A list that is not drained has lost its reader.
                client.expire(queue, topology.PRIVATE_QUEUE_SECONDS)


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of kombu with this channel."""

    Channel = Channel
