"""The start of the stack, and what it costs while it does nothing (requirement C20)."""

import sys
import time
from typing import Any

import psutil

from benchmarks.context import Context
from benchmarks.measure import say
from benchmarks.stacks import cpu_seconds, processes, start, wait_until_quiet
from coinrequest.stack import Stack


def run(context: Context) -> None:
    """Start with empty data, watch the idle stack, stop, start with the data that is there."""
    stacks, results = context.stacks, context.results
    stacks.fresh("ours")
    stack = stacks.stack("ours")
    cold = start(stack)
    say(f"up with empty data after {cold:.1f} s")
    steps = [[step.text, round(step.started, 1), round(step.finished, 1)] for step in stack.status().steps]
    results.put("up", cold=round(cold, 2), cold_steps=steps)
    try:
        wait_until_quiet(stack)
        idle = watch_idle(stack, context.idle_seconds)
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


def watch_idle(stack: Stack, seconds: float) -> dict[str, Any]:
    """Return memory (proportional set size, MiB) and CPU (percent of one core) of each service, and in total."""
    before = cpu_seconds(stack)
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    after = cpu_seconds(stack)
    services: dict[str, Any] = {}
    for name, members in processes(stack).items():
        services[name] = {
            "processes": len(members),
            "mib": round(sum(_memory(member) for member in members) / 2**20, 1),
            "cpu_percent": round(100 * (after[name] - before[name]) / elapsed, 2),
        }
    total = {
        key: round(sum(service[key] for service in services.values()), 2) for key in ("processes", "mib", "cpu_percent")
    }
    return {"seconds": round(elapsed), "services": services, "total": total}


def _memory(process: psutil.Process) -> float:
    """Return the proportional set size in bytes; macOS has none, there it is the unique set size."""
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0.0
    return float(memory.pss if sys.platform.startswith("linux") else memory.uss)
