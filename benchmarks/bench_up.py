"""The start of the stack, and what it costs while it does nothing."""

import time
from typing import Any

from benchmarks.context import Context
from benchmarks.measure import say
from benchmarks.processes import cpu_seconds, memory
from benchmarks.stacks import services, start, wait_until_quiet
from coinrequest.stack import Stack


def run(context: Context) -> None:
    """Start with empty data, watch the idle stack, stop, start with the data that is there."""
    stacks, results = context.stacks, context.results
    stacks.fresh("ours")
    stack = stacks.stack("ours")
    cold = start(stack)
    say(f"up with empty data after {cold:.1f} s")
    results.put("up", cold=round(cold, 2))
    try:
        wait_until_quiet(stack)
        idle = _watch_idle(stack, context.idle_seconds)
        results.put("up", idle=idle)
        say(f"idle: {idle['total']['mib']:.0f} MiB, {idle['total']['cpu_percent']:.1f} % of one core")
        began = time.monotonic()
        stack.down()
        results.put("up", down=round(time.monotonic() - began, 2))
        warm = start(stack)
        say(f"up with its data after {warm:.1f} s")
        results.put("up", warm=round(warm, 2))
    finally:
        stack.down()


def _watch_idle(stack: Stack, seconds: float) -> dict[str, Any]:
    """Return memory (proportional set size, MiB) and CPU (percent of one core) of each service, and in total."""
    before, began = _cpu(stack), time.monotonic()
    time.sleep(seconds)
    after, elapsed = _cpu(stack), time.monotonic() - began
    found: dict[str, Any] = {
        name: {
            "processes": len(members),
            "mib": round(sum(map(memory, members)), 1),
            "cpu_percent": round(100 * (after[name] - before[name]) / elapsed, 2),
        }
        for name, members in services(stack).items()
    }
    total = {
        key: round(sum(service[key] for service in found.values()), 2) for key in ("processes", "mib", "cpu_percent")
    }
    return {"seconds": round(elapsed), "services": found, "total": total}


def _cpu(stack: Stack) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, members)) for name, members in services(stack).items()}
