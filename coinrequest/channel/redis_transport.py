"""kombu's Redis transport (kombu 5.7), made safe against the death of a consumer and against what is published.

kombu takes a message with BRPOP and notes afterwards that it is not acknowledged. A consumer that is killed in between
loses the message, and while a consumer is busy there is always one in between. Here one script, which Redis runs as a
whole, takes messages and notes them; a blocking command that changes nothing waits for them.

kombu also reads a message whole, whatever its size, and again when it gives it back, and ends with an error where a
publisher made it so that it cannot be read; then it comes back, again and again. Here Redis hands over no more than the
reader takes, gives back what it noted without reading it, and what is no message of kombu is a message with a fault.
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

# No queue has a colon in its name (`topology.QUEUE_NAME`, and the grammar of job types).
UNACKED_KEY = "coinrequest:channel:unacked"
UNACKED_INDEX_KEY = "coinrequest:channel:unacked-index"
# The keys of gateways before, which could be the names of queues. What is left there is given back as well.
_OLDER_UNACKED_KEY = "job-unacked"
_OLDER_UNACKED_INDEX_KEY = "job-unacked-index"
_GIVE_BACK_AT_ONCE = 1000
# Written to see whether Redis takes anything; and a key that never is there.
_WRITTEN = "coinrequest:channel:written"
_NOTHING = "coinrequest:channel:nothing"
_REST_SECONDS = 1

# A script that ends with an error takes nothing back. So it looks first whether it can note what it takes.
_CHECK = """
for place, kind in ipairs({'zset', 'hash'}) do
    local found = redis.call('TYPE', KEYS[place]).ok
    if found ~= kind and found ~= 'none' then
        return redis.error_reply('ERR ' .. KEYS[place] .. ' is of the type ' .. found .. ' and has to be deleted')
    end
end
"""

# KEYS: the index and the hash of messages that are not acknowledged, the lists of the queue by priority.
# ARGV: how many, a new unique text, the largest size, how much is handed over of what is larger.
# A tag says which list its message came from, so that it goes back to this one alone.
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

# KEYS: the index and the hash. ARGV: the prefix of queues that go with their reader and their seconds, how many, the
# queue of jobs, whether an older gateway filled the hash, and the age from which on messages are given back, or '' and
# their tags. An older gateway noted [message, "exchange", "queue"], under tags that publishers chose.
_GIVE_BACK = (
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
    """What a list held: its tag, its first bytes, and how many it had."""

    tag: str
    item: bytes
    size: int
    largest: int


class Message(IncomingMessage):
    """A message that was taken from a list. One that no kombu wrote is its own body."""

    def __init__(self, taken: _Taken, channel: Any = None, **rest: Any) -> None:
        super().__init__(**_contents(taken), channel=channel, delivery_tag=taken.tag, **rest)


def _contents(taken: _Taken) -> dict[str, Any]:
    """Return what an envelope of kombu holds."""
    if taken.size > taken.largest:
        fault = f"the message has {taken.size} bytes on the broker; the limit is {taken.largest}"
        return {"body": taken.item, "fault": fault}
    try:
        envelope = json.loads(taken.item.decode())
        encoding = envelope["properties"].get("body_encoding")
        body = envelope.get("body")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {"body": taken.item}
    around = {
        "headers": envelope.get("headers"),
        "content_type": envelope.get("content-type"),
        "content_encoding": envelope.get("content-encoding"),
    }
    if not isinstance(body, str):
        return {"body": taken.item, "fault": "the message has no body; send a text", **around}
    try:
        return {"body": _body(body, encoding), **around}
    except ValueError as error:
        return {"body": body.encode("utf-8", "surrogatepass"), "fault": str(error), **around}


def _body(body: str, encoding: object) -> bytes:
    if encoding == "base64":
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            raise ValueError("the body is not base64, as its body_encoding says") from None
    if encoding not in (None, "", "utf-8"):
        raise ValueError("the body_encoding is not read; send base64 or utf-8")
    return body.encode("utf-8", "surrogatepass")


class QoS(redis.QoS):  # type: ignore[misc]
    """Messages are noted as not acknowledged when they are taken, not when they arrive, and given back unread."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message that Redis has noted already."""
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message. A full Redis takes no transactions; without its tag, a message is given back no more."""
        with self.channel.conn_or_acquire() as client:
            client.hdel(self.unacked_key, delivery_tag)
            client.zrem(self.unacked_index_key, delivery_tag)
        virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Give one message back."""
        self.channel.give_back("", tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Give back what was taken too long ago, by whomever; in every so many calls."""
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1) == 0:
            self.channel.give_back(self.visibility_timeout)


class Channel(redis.Channel):  # type: ignore[misc]
    """Waits for messages without taking any, and takes as many as the consumer has room for.

    Attributes:
        largest_message: how many bytes of a message are read, with all that stands around its body.
        refusal: what Redis said when it was to write something last; empty: it wrote. Messages are taken all the same,
            so that a Redis that they fill is emptied.
    """

    QoS = QoS
    Message = Message
    unacked_key = UNACKED_KEY
    unacked_index_key = UNACKED_INDEX_KEY
    largest_message = MEBIBYTE
    refusal = ""
    _rests = False
    from_transport_options = (*redis.Channel.from_transport_options, "largest_message")

    def _brpop_start(self, timeout: float | None = None) -> None:
        (queue,) = self.active_queues
        connection = self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        # From the end of a list to the end of the same list: it waits, and changes nothing (Redis 6.2). Its answer
        # would be the message, of any size, and is left out; that of the command behind it says that the wait is over,
        # and whether Redis writes. One that does not refuses to wait as well, and is read meanwhile.
        wait: tuple[Any, ...] = ("BLMOVE", queue, queue, "RIGHT", "RIGHT")
        wait += (self.brpop_timeout if timeout is None else timeout,)
        if self._rests:
            wait = ("XREAD", "BLOCK", _REST_SECONDS * 1000, "STREAMS", _NOTHING, "$")
        write = ("SET", _WRITTEN, 1, "PX", 1000)
        connection.send_packed_command(connection.pack_commands([("CLIENT", "REPLY", "SKIP"), wait, write]))

    def _brpop_read(self, **options: Any) -> bool:
        try:
            self.client.parse_response(self.client.connection, "SET", **options)
            self.refusal = ""
        except self.ResponseError as error:
            self.refusal = str(error)
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
        for taken in self._take(queue, self.qos.can_consume_max_estimate() or 1):
            found = True
            self.connection._deliver(taken, queue)
        self._rests = bool(self.refusal) and not found
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

    def give_back(self, age: float | str, *tags: str) -> None:
        """Put messages that are not acknowledged back to where they came from, so that they are taken next.

        Args:
            age: those that were taken so many seconds ago; '': those with these tags.
            tags: of messages.
        """
        bounds = (topology.PRIVATE_QUEUE_PREFIX, topology.PRIVATE_QUEUE_SECONDS, _GIVE_BACK_AT_ONCE, topology.JOB_QUEUE)
        with self.conn_or_acquire() as client:
            script = client.register_script(_GIVE_BACK)
            script([self.unacked_index_key, self.unacked_key], [*bounds, "", age, *tags], client)
            if age != "":
                try:
                    script([_OLDER_UNACKED_INDEX_KEY, _OLDER_UNACKED_KEY], [*bounds, "older", age], client)
                except self.ResponseError:
                    log.debug("The older keys are something else here", exc_info=True)

    def _size(self, queue: str) -> int:
        """Return how many messages a queue has, also of a full Redis, which takes no transactions."""
        with self.conn_or_acquire() as client:
            return sum(client.llen(self._q_for_pri(queue, priority)) for priority in self.priority_steps)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue, unless it is bound: a full Redis refuses that again and again, and could not be emptied."""
        member = self.sep.join([routing_key or "", pattern or "", queue or ""])
        keys = (self.keyprefix_queue % (exchange,), self.keyprefix_binding_permanent % (exchange,))
        with self.conn_or_acquire() as client:
            bound = queue not in self._expires and all(client.sismember(key, member) for key in keys)
        if not bound:
            super()._queue_bind(exchange, routing_key, pattern, queue)

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """Return the bindings of an exchange, without what somebody else wrote into their set."""
        return [binding for binding in super().get_table(exchange) if len(binding) == 3]

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        if queue == topology.JOB_QUEUE:
            return
        with self.conn_or_acquire() as client:
            client.ltrim(queue, 0, topology.LONGEST_QUEUE - 1)
            if queue.startswith(topology.PRIVATE_QUEUE_PREFIX) and client.ttl(queue) < 0:
                # A reader empties its queue, which makes a new one; what is not emptied has lost its reader.
                client.expire(queue, topology.PRIVATE_QUEUE_SECONDS)


class Transport(redis.Transport):  # type: ignore[misc]
    """kombu's transport with the channel above."""

    Channel = Channel
