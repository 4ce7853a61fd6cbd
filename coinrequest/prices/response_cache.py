"""A short memory of answers in which callers with the same question share one request."""

import copy
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

AnswerT = TypeVar("AnswerT")

# A request ends by itself at its deadline and then knows why; a caller gives it so long to say so.
GRACE_SECONDS = 0.25


class ResponseCache(Generic[AnswerT]):
    """Keeps answers, and never an error; threads may share it.

    Args:
        seconds: how long an answer is kept.
        clock: seconds that only grow, such as `time.monotonic`.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, AnswerT]] = {}
        self._flights: dict[Hashable, _Flight[AnswerT]] = {}
        self._lock = threading.Lock()

    def get(self, question: Hashable, ask: Callable[[], AnswerT], deadline: float) -> AnswerT:
        """Return the answer that is kept, or that of a request under way, or ask.

        `ask` runs in a thread of its own. So whoever waits is back at the deadline, even if the network is not.

        Args:
            question: what identifies the answer.
            ask: returns the answer or raises; it should end by the deadline.
            deadline: on the clock.

        Raises:
            TimeoutError: there is no answer at the deadline.
            Exception: what `ask` raised; each caller gets a copy of its own.
        """
        while True:
            with self._lock:
                kept_until, answer = self._answers.get(question, (0.0, None))
                if answer is not None and self._clock() < kept_until:
                    return answer
                flight = self._flights.get(question)
                joined = flight is not None and not flight.is_overdue(self._clock())
                if flight is None or not joined:
                    flight = self._flights[question] = _Flight(deadline)
            if not joined:
                self._start(question, flight, ask)
            if not flight.landed.wait(max(0.0, deadline - self._clock()) + GRACE_SECONDS):
                raise TimeoutError
            if flight.error is None and flight.answer is not None:
                return flight.answer
            was_shorter = joined and flight.deadline < deadline and flight.deadline <= self._clock()
            if not was_shorter and flight.error is not None:
                raise copy.copy(flight.error) from flight.error.__cause__

    def forget(self) -> None:
        """Drop the answers that are kept: the next caller asks anew."""
        with self._lock:
            self._answers.clear()

    def _start(self, question: Hashable, flight: "_Flight[AnswerT]", ask: Callable[[], AnswerT]) -> None:
        arguments = (question, flight, ask)
        try:
            threading.Thread(target=self._fly, args=arguments, name="coinrequest-price", daemon=True).start()
        except RuntimeError:  # there is no thread to be had, for instance while Python ends
            self._fly(*arguments)

    def _fly(self, question: Hashable, flight: "_Flight[AnswerT]", ask: Callable[[], AnswerT]) -> None:
        try:
            flight.answer = ask()
        except BaseException as error:
            flight.error = error
        with self._lock:
            now = self._clock()
            self._answers = {key: kept for key, kept in self._answers.items() if kept[0] > now}
            if flight.answer is not None:
                self._answers[question] = (now + self._seconds, flight.answer)
            if self._flights.get(question) is flight:
                del self._flights[question]
        flight.landed.set()


class _Flight(Generic[AnswerT]):
    """One request that is under way, for everybody who waits for it."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.landed = threading.Event()
        self.answer: AnswerT | None = None
        self.error: BaseException | None = None

    def is_overdue(self, now: float) -> bool:
        return now > self.deadline + GRACE_SECONDS
