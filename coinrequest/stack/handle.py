"""The Python interface of a stack, for the command line, tests and benchmarks."""

import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from coinrequest.install.private_files import write_private
from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE, ROLES, ensure_secrets
from coinrequest.stack import settings_file
from coinrequest.stack.cleanup import stop_orphans
from coinrequest.stack.differences import differences
from coinrequest.stack.environment import (
    base_url,
    channel_url,
    own_channel_url,
    process_environment,
)
from coinrequest.stack.errors import StackError, StackNotRunning, StartFailed
from coinrequest.stack.layout import Layout, default_root, project_root
from coinrequest.stack.log_lines import last_lines
from coinrequest.stack.options import STACK_OPTIONS, Options, chosen_options
from coinrequest.stack.ports import choose_ports, kept_ports
from coinrequest.stack.processes import signal_process, wait_until_gone
from coinrequest.stack.state import ProcessState, ProcessStatus, StackPhase, StackStatus, read_status

_START_TIMEOUT = 300.0
_STOP_TIMEOUT = 90.0


@dataclass(frozen=True)
class Credentials:
    """The credentials of a user."""

    username: str
    password: str = field(repr=False)


class Stack:
    """One embedded stack.

    Args:
        root: its folder; by default `COINREQUEST_STACK_ROOT`, or `.stack` in the project.
    """

    def __init__(self, root: Path | str | None = None) -> None:
        self.layout = Layout(Path(root).expanduser().resolve() if root is not None else default_root())
        self._launched: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the web server, without a slash at its end.

        Raises:
            StackError: the stack was never started.
        """
        return base_url(kept_ports(self.layout))

    @property
    def channel_url(self) -> str:
        """The broker of the message channel as the gateway knows it (kombu URL); empty if there is no channel.

        Raises:
            StackError: the stack was never started.
        """
        return channel_url(kept_ports(self.layout), ensure_secrets(self.layout.secrets), Options.load(self.layout))

    def credentials(self, role: str = "admin") -> Credentials:
        """Return the credentials of the user with a role: `admin`, `op`, `user` or `viewer`.

        Raises:
            KeyError: there is no such role.
        """
        return Credentials(role, ensure_secrets(self.layout.secrets).password(role))

    def status(self) -> StackStatus:
        """Return the current state."""
        return read_status(self.layout)

    def environment(self, process: str) -> dict[str, str]:
        """Return the environment of a process: one of those in `status`, or `prepare`.

        Raises:
            StackNotRunning: the stack is down.
        """
        status = self._running()
        return process_environment(
            process,
            layout=self.layout,
            ports=kept_ports(self.layout),
            secrets=ensure_secrets(self.layout.secrets),
            options=Options.load(self.layout),
            run=status.run,
        )

    def up(self, options: Options | None = None, report: Callable[[str], None] = lambda line: None) -> bool:
        """Start the stack and wait until it is ready; return False if it was already up.

        Args:
            options: the options of the stack. The file `settings.env` and the environment have settings besides.
            report: called with each line about the progress, and about options that a running stack does not have.

        Raises:
            StartFailed: a process did not start; all others are stopped again.
            StackError: a requested port is in use, a package is not installed, or `settings.env` has a wrong line.
        """
        self.layout.create()
        with self._exclusive():
            settings_file.create(self.layout)
            options = self._settled(options)
            status = self.status()
            if status.phase is StackPhase.READY:
                self.write_env()
                self._report_differences(options, report)
                return False
            if status.phase is StackPhase.ABANDONED:
                orphans = stop_orphans(self.layout, status)
                report(f"stopped {orphans} process(es) of a supervisor that was killed")
            elif status.phase in (StackPhase.STARTING, StackPhase.STOPPING):
                self._stop(status)
            self._clear()
            _, notes = choose_ports(self.layout, options.web_port)
            for note in notes:
                report(note)
            options.save(self.layout)
            self.write_env()
            # Kept, because only its parent can collect the exit status of a process.
            self._launched = self._launch()
            self._follow(self._launched, report)
            return True

    def down(self, report: Callable[[str], None] = lambda line: None) -> bool:
        """Stop all processes; return False if none was running.

        Raises:
            StackError: the supervisor does not stop.
        """
        if not self.layout.run.exists():
            return False
        with self._exclusive():
            status = self.status()
            if status.phase is StackPhase.ABANDONED:
                orphans = stop_orphans(self.layout, status)
                report(f"stopped {orphans} process(es) of a supervisor that was killed")
                self._clear()
                return bool(orphans)
            if status.phase in (StackPhase.STOPPED, StackPhase.FAILED):
                return False
            self._stop(status)
            return True

    def restart(self, process: str, timeout: float = 120.0) -> None:
        """Restart a process and wait until it is ready.

        Raises:
            StackNotRunning: the stack is down.
            StackError: there is no such process, or it does not start.
        """
        before = self._process(process)
        self._command("restart", process)
        self._wait(process, timeout, lambda status: status.pid not in (None, before))

    def stop_process(self, process: str, timeout: float = 60.0) -> None:
        """Stop a process gracefully; it stays down until `start_process`.

        Raises:
            StackNotRunning: the stack is down.
            StackError: there is no such process, or it does not stop.
        """
        self._process(process)
        self._command("stop", process)
        self._wait(process, timeout, None)

    def start_process(self, process: str, timeout: float = 120.0) -> None:
        """Start a process that was stopped or has failed, and wait until it is ready.

        Raises:
            StackNotRunning: the stack is down.
            StackError: there is no such process, or it does not start.
        """
        self._process(process)
        self._command("start", process)
        self._wait(process, timeout, lambda status: True)

    def kill(self, process: str, number: int) -> int:
        """Send a signal to a process, as a fault would; return its process id.

        Raises:
            StackNotRunning: the stack is down.
            StackError: there is no such process, or it is not running.
        """
        self._process(process)
        identity = self.status().processes[process].identity
        if identity is None or not signal_process(identity, number):
            raise StackError(f"{process} is not running.")
        return identity.pid

    # -- internals -----------------------------------------------------------------------------------------

    def _settled(self, options: Options | None) -> Options:
        """Return the options of a start with all settings: of the options, the environment, and the file."""
        settings = settings_file.resolve(self.layout, os.environ)
        options = options or chosen_options(settings)
        variables = {name: value for name, value in settings.items() if name not in STACK_OPTIONS}
        return replace(options, variables={**variables, **options.variables}, settled=True)

    def _report_differences(self, wanted: Options, report: Callable[[str], None]) -> None:
        running = Options.load(self.layout)
        for line in differences(running, wanted, kept_ports(self.layout).web):
            report(line)

    def _running(self) -> StackStatus:
        status = self.status()
        if status.phase is not StackPhase.READY:
            raise StackNotRunning(f"The stack in {self.layout.root} is {status.phase}; start it with `make up`.")
        return status

    def _process(self, name: str) -> int | None:
        processes = self._running().processes
        if name not in processes:
            raise StackError(f"There is no process {name!r}. The processes are {', '.join(processes)}.")
        return processes[name].pid

    def _command(self, action: str, process: str) -> None:
        request = self.layout.commands / f"{time.time_ns()}-{uuid4().hex}.json"
        write_private(request, json.dumps({"action": action, "process": process}))
        while request.exists():
            self._running()
            time.sleep(0.05)

    def _wait(self, name: str, timeout: float, is_new: Callable[[ProcessStatus], bool] | None) -> None:
        deadline = time.monotonic() + timeout
        while True:
            process = self._running().processes[name]
            if is_new is None and process.state is ProcessState.STOPPED:
                return
            if is_new is not None and process.state is ProcessState.RUNNING and is_new(process):
                return
            if process.state is ProcessState.FAILED or time.monotonic() > deadline:
                lines = "\n".join(last_lines(self.layout.log(name)))
                raise StackError(f"{name} is {process.state} after {timeout:.0f} s:\n{lines}")
            time.sleep(0.05)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let only one `up` or `down` run at a time; others wait."""
        with self.layout.lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clear(self) -> None:
        self.layout.state.unlink(missing_ok=True)
        for request in self.layout.commands.iterdir():
            request.unlink()

    def _launch(self) -> "subprocess.Popen[bytes]":
        # Neither another Airflow's settings nor those of PostgreSQL's clients (PGSSLMODE, ...) apply to the stack.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PG"))}
        # Compiled modules make later starts faster; some machines switch them off.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with self.layout.log("supervisor").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "coinrequest.stack.daemon", str(self.layout.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=project_root(),
                env=environment,
                start_new_session=True,
            )

    def _follow(self, supervisor: "subprocess.Popen[bytes]", report: Callable[[str], None]) -> None:
        reported = 0
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            code = supervisor.poll()
            status = self.status()
            for step in status.steps[reported:]:
                report(f"{step.finished:5.1f} s  {step.text} ({step.finished - step.started:.1f} s)")
            reported = len(status.steps)
            if status.phase is StackPhase.READY:
                return
            if code is not None:
                lines = "\n".join(last_lines(self.layout.log("supervisor"), 40))
                raise StartFailed(status.error or f"The supervisor ended with exit code {code}:\n{lines}")
            if time.monotonic() > deadline:
                self._stop(status)
                raise StartFailed(f"The stack is not up after {_START_TIMEOUT:.0f} s; see {self.layout.logs}.")
            time.sleep(0.1)

    def _stop(self, status: StackStatus) -> None:
        if status.supervisor is None:
            return
        signal_process(status.supervisor, signal.SIGTERM)
        if not wait_until_gone(status.supervisor, _STOP_TIMEOUT):
            raise StackError(f"The supervisor (process {status.supervisor.pid}) does not stop; see {self.layout.logs}.")
        if self._launched is not None:
            self._launched.poll()

    def write_env(self) -> None:
        """Write the variables that a shell needs to use the stack (`. .stack/env`), mode 0600."""
        admin = self.credentials("admin")
        variables = {
            "COINREQUEST_URL": self.url,
            "COINREQUEST_USERNAME": admin.username,
            "COINREQUEST_PASSWORD": admin.password,
        }
        for role in ROLES:
            user = self.credentials(role)
            variables[f"COINREQUEST_{role.upper()}_USERNAME"] = user.username
            variables[f"COINREQUEST_{role.upper()}_PASSWORD"] = user.password
        variables["COINREQUEST_CHANNEL_URL"] = self.channel_url
        own = own_channel_url(kept_ports(self.layout), ensure_secrets(self.layout.secrets))
        variables[OWN_CHANNEL_VARIABLE] = own
        text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        write_private(self.layout.env, text)
