"""Starts a stack in the background and supervises it: `python -m coinrequest.stack.daemon ROOT`.

PostgreSQL starts first, then comes the migration, then the processes that use the database. Redis and the agents start
at the same time. Loading Airflow's modules is most of the work, so no more processes load at a time than there are
cores. If the same software has prepared the database before, that step is skipped.
"""

import argparse
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from coinrequest.install.prepare import MIGRATED
from coinrequest.install.secrets import ensure_secrets
from coinrequest.stack.components import agent_names, gateway_names, has_loaded, platform_program, process_names
from coinrequest.stack.environment import base_url, process_environment
from coinrequest.stack.errors import StackError, StartFailed
from coinrequest.stack.fingerprint import fingerprint, is_prepared, mark_prepared
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options
from coinrequest.stack.ports import kept_ports
from coinrequest.stack.programs import Child, Program
from coinrequest.stack.servers import create_database, ensure_roles, postgres_program, redis_program
from coinrequest.stack.supervisor import Stopped, Supervisor, stop_on_signals


class Start:
    """The start of one stack, step by step."""

    def __init__(self, layout: Layout, options: Options) -> None:
        self._layout = layout
        self._options = options
        self._ports = kept_ports(layout)
        self._secrets = ensure_secrets(layout.secrets)
        self._run = uuid4().hex
        self._fingerprint = fingerprint(self._secrets, sorted(options.overrides.items()))
        # The web server takes the longest to load, and has a core of its own until it is ready.
        self._cores = threading.Semaphore(max(1, (os.cpu_count() or 1) - 1))
        self._loading = ThreadPoolExecutor(len(process_names(options)), thread_name_prefix="load")
        agents = agent_names(options)
        self.supervisor = Supervisor(
            layout,
            self._run,
            base_url(self._ports),
            process_names(options),
            # Agents report to the web server, and all processes write to the database, so these stop last.
            [
                ("scheduler", "dag-processor", "triggerer", *agents),
                ("api-server", *gateway_names(options)),
                ("redis", "postgres"),
            ],
        )

    def run(self) -> None:
        """Start everything; afterwards the stack is up, or the supervisor stops it."""
        try:
            with ThreadGroup() as threads:
                threads.start(self._start_broker_and_agents)
                threads.start(self._start_database_and_airflow)
            self.supervisor.ready()
        except Stopped:
            return
        except StackError as error:
            self.supervisor.fail(str(error))
        except Exception:
            self.supervisor.fail(traceback.format_exc())

    def _start_broker_and_agents(self) -> None:
        program = redis_program(self._layout, self._ports, self._secrets, self._run)
        self.supervisor.step("Redis is ready", lambda: self._start_and_wait(program))
        with ThreadGroup() as threads:
            for name in agent_names(self._options):
                threads.start(self._queue(name, f"{name} is ready"))

    def _start_database_and_airflow(self) -> None:
        step = self.supervisor.step
        step("PostgreSQL is ready", self._start_database)
        if is_prepared(self._layout, self._fingerprint):
            # The same software has already updated the roles and their permissions.
            self._start_airflow({"AIRFLOW__FAB__UPDATE_FAB_PERMS": "False"})
            return
        self._layout.prepared.unlink(missing_ok=True)
        prepare = Child(self._prepare_program())
        try:
            step("the database is migrated", lambda: self._wait_for(prepare, MIGRATED))
            registered = self._loading.submit(self._wait_registered, prepare)
            with ThreadGroup() as threads:
                threads.start(self._start_airflow)
                threads.start(registered.result)
                threads.start(lambda: step("the job types and users exist", lambda: self._wait_for(prepare)))
        finally:
            prepare.stop()
        mark_prepared(self._layout, self._fingerprint)

    def _start_database(self) -> None:
        create_database(self._layout, self._secrets.postgres_superuser)
        self._start_and_wait(postgres_program(self._layout, self._ports, self._run))
        ensure_roles(self._layout, self._ports, self._secrets)

    def _start_airflow(self, web_settings: Mapping[str, str] | None = None) -> None:
        with ThreadGroup() as threads:
            web_server = self._program("api-server", web_settings)
            threads.start(lambda: self._start_web_server(web_server))
            threads.start(self._queue("scheduler", "the scheduler is ready"))
            threads.start(self._queue("triggerer", "the triggerer is ready"))
            threads.start(self._queue("dag-processor", "the DAG processor is ready"))
            for name in gateway_names(self._options):
                threads.start(self._queue(name, f"the {name} is ready"))

    def _start_web_server(self, program: Program) -> None:
        self.supervisor.step("the web server is ready", lambda: self._start_and_wait(program))
        self._cores.release()

    def _start_and_wait(self, program: Program) -> None:
        self.supervisor.wait_ready(self.supervisor.start(program))

    def _queue(self, name: str, text: str) -> Callable[[], None]:
        """Queue a process for loading; return a function that waits until it is ready."""

        def load() -> Child:
            with self._cores:
                child = self.supervisor.start(self._program(name))
                self._wait_loaded(child)
            return child

        loaded = self._loading.submit(load)
        return lambda: self.supervisor.step(text, lambda: self.supervisor.wait_ready(loaded.result()))

    def _wait_registered(self, prepare: Child) -> None:
        """Wait until the preparation needs its core no longer, so that the next process can load."""
        with self._cores:
            self._wait_loaded(prepare)

    def _wait_loaded(self, child: Child) -> None:
        while child.poll() is None and not has_loaded(child):
            if self.supervisor.stopping.wait(0.1):
                raise Stopped

    def _program(self, name: str, settings: Mapping[str, str] | None = None) -> Program:
        environment = self._environment(name) | dict(settings or {})
        return platform_program(name, environment, layout=self._layout, ports=self._ports, options=self._options)

    def _prepare_program(self) -> Program:
        return Program(
            name="prepare",
            command=(sys.executable, "-m", "coinrequest.install.prepare"),
            environment=self._environment("prepare"),
            log=self._layout.log("prepare"),
        )

    def _environment(self, process: str) -> dict[str, str]:
        return process_environment(
            process,
            layout=self._layout,
            ports=self._ports,
            secrets=self._secrets,
            options=self._options,
            run=self._run,
        )

    def _wait_for(self, child: Child, text: str | None = None) -> None:
        """Wait until a process has ended with success, or has logged `text`."""
        while not (text is not None and child.logged(text)):
            code = child.poll()
            if code is not None:
                if code == 0:
                    return
                lines = "\n".join(f"    {line}" for line in child.tail(40))
                raise StartFailed(f"preparing the database failed ({child.program.log}):\n{lines}")
            if self.supervisor.stopping.wait(0.1):
                raise Stopped


class ThreadGroup:
    """Runs functions in threads. The end of the block waits for all of them, or raises the first error."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self._wake = threading.Condition()

    def __enter__(self) -> "ThreadGroup":
        return self

    def start(self, work: Callable[[], None]) -> None:
        """Run a function in a thread."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                with self._wake:
                    self._errors.append(error)
                    self._wake.notify_all()

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *_: object) -> None:
        while any(thread.is_alive() for thread in self._threads):
            with self._wake:
                # The first error ends the start, without waiting for the other threads.
                if self._errors or (self._wake.wait(0.05) and self._errors):
                    break
        if self._errors:
            raise self._errors[0]


def main() -> int:
    """Run the supervisor until it is asked to stop; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    layout = Layout(parser.parse_args().root)
    start = Start(layout, Options.load(layout))
    stop_on_signals(start.supervisor)
    threading.Thread(target=start.run, name="start", daemon=True).start()
    start.supervisor.watch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
