"""A type whose runs take the scheduler long gets a tenth of its time."""

from coinrequest.airflow.executor.scheduler_pace import LONG, Pace


def test_a_run_that_takes_long_pauses_for_nine_times_as_long() -> None:
    pace = Pace()
    assert pace.due("greedy", "r1", 100.0)
    pace.took("greedy", "r1", 0.5, 100.5)
    assert not pace.due("greedy", "r1", 104.9)
    assert pace.due("greedy", "r1", 105.1)


def test_the_long_runs_of_a_type_wait_for_each_other_and_for_nobody_else() -> None:
    pace = Pace()
    pace.took("greedy", "r1", 0.5, 100.0)
    pace.took("greedy", "r2", 0.5, 100.5)
    assert not pace.due("greedy", "r1", 104.9)
    assert pace.due("greedy", "new", 100.6), "each run is looked at once at least, and short ones always"
    assert pace.due("small", "r1", 100.6)


def test_a_run_that_got_short_is_looked_at_always() -> None:
    pace = Pace()
    pace.took("greedy", "r1", 0.5, 100.0)
    pace.took("greedy", "r1", LONG / 2, 105.0)
    assert pace.due("greedy", "r1", 105.0)
