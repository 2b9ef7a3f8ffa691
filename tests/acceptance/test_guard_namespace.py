"""With `--llm-network-guard=namespace`, nothing that a session runs finds a way out, whatever it is written in."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pytest
from spending import report
from ways_out import (
    CHILDREN,
    IN_PROCESS,
    LIBRARIES,
    LIBRARY_CHILDREN,
    OTHERS,
    PROGRAMS,
    Outside,
    available,
    own_address,
)

from tapemeter.isolation import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project
    from loopback import Loopback

GUARD = "--llm-network-guard=namespace"
THREADS = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the runs load what they need, rather than all that is installed, which takes most of their time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "tapemeter.pytest_plugin,pytest_asyncio.plugin,xdist.plugin")


ALONE = """
import os, pathlib, socket, subprocess, sys, threading

def only_loopback():
    # The counters of this namespace: there is no other device, so there is nothing that could leave by one.
    lines = pathlib.Path("/proc/self/net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines] == ["lo"]
"""


@cache
def why_not() -> str | None:
    """Return why this machine has no namespaces to give; None where it has."""
    entering = "from tapemeter.isolation import namespace; namespace.enter()"
    done = subprocess.run([sys.executable, "-c", entering], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


@pytest.fixture
def permitted() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no namespace can be had on this machine: {reason}")


def alone(project: Project, *tests: str) -> None:
    """Write tests that may ask whether they are alone with their loopback."""
    project.write("test_it.py", ALONE + "\n\n".join(tests))


ONE = """
def test_one():
    assert only_loopback()
"""


def test_no_way_leads_out_of_any_program(permitted: None, project: Project) -> None:
    ways = available(IN_PROCESS, CHILDREN, PROGRAMS, OTHERS, LIBRARIES, LIBRARY_CHILDREN)
    project.write("test_alone.py", ALONE + ONE)
    with Outside(own_address()) as outside:
        outside.write(project, ways)
        # Without a mode no guard of Python's stands before the namespace.
        project.run_apart(GUARD, "-W", "ignore", passed=len(ways) + 1)
        assert outside.reached() == set()


def test_other_programs_get_out_of_a_session_without_it(project: Project) -> None:
    ways = available(OTHERS, PROGRAMS)
    if not ways:
        pytest.skip("there is no curl, wget or node here")
    with Outside(own_address()) as outside:
        outside.write(project, ways)
        project.run_apart("--llm-mode=replay", "-W", "ignore", passed=len(ways))
        assert outside.reached() == set(ways)


def test_recordings_are_replayed_in_it_and_the_evidence_says_so(
    permitted: None, project: Project, server: Loopback
) -> None:
    alone(project, "def test_one():\n    import talk\n    assert 'hello' in talk.ask('hello')\n")
    project.run_apart("--record-cassettes", passed=1)
    project.ini("llm_network_guard = namespace")

    result = project.run_apart("--llm-mode=replay", passed=1)

    result.stdout.fnmatch_lines(["network guard: namespace"])
    assert report(project)["guard"] == "namespace"
    assert len(server.requests) == 1


def test_loopback_works_in_it_and_what_listens_outside_is_not_reached(
    permitted: None, project: Project, server: Loopback
) -> None:
    alone(
        project,
        ONE,
        f"""
        def test_loopback():
            for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
                with socket.create_server((host, 0), family=family) as listener:
                    socket.create_connection(listener.getsockname()[:2]).close()

        def test_outside():
            try:
                socket.create_connection(("127.0.0.1", {server.port}))
            except ConnectionRefusedError:
                return
            raise AssertionError
        """.replace("\n        ", "\n"),
    )

    project.run_apart("--llm-mode=replay", GUARD, passed=3)

    assert server.requests == []


def test_workers_are_in_it_as_well(permitted: None, project: Project) -> None:
    alone(project, *(ONE.replace("one", name) for name in ("one", "two", "three", "four")))

    project.run_apart("--llm-mode=replay", GUARD, "-n", "2", passed=4)


def test_a_process_with_threads_is_started_anew(permitted: None, project: Project) -> None:
    project.write("threads.py", THREADS)
    alone(project, ONE, "def test_out(): assert threading.active_count() > 1; print('OUT')")

    result = project.run_apart("-p", "threads", "--llm-mode=replay", GUARD, "-s", passed=2)

    result.stdout.fnmatch_lines(["*OUT*"])


def test_a_program_that_runs_pytest_beside_its_threads_is_not_started_anew(permitted: None, project: Project) -> None:
    alone(project, ONE)
    program = project.write(
        "program.py",
        f"""
        import sys, threading, pytest
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        print("BEGAN", flush=True)
        sys.exit(pytest.main(["--llm-mode=replay", "{GUARD}", "-p", "no:cacheprovider"]))
        """,
    )

    done = subprocess.run([sys.executable, program], cwd=project.path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.count("BEGAN")) == (4, 1)
    assert "cannot be had here: this process has 2 threads" in done.stderr


def test_the_plugin_of_a_conftest_enters_it_too(
    permitted: None, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("conftest.py", "pytest_plugins = ['tapemeter.pytest_plugin']\n")
    alone(project, ONE)

    # Options of a plugin that a conftest loads are known only after the command line was read: so by ini.
    project.ini("llm_network_guard = namespace\nllm_mode = replay")
    monkeypatch.setenv("PYTEST_PLUGINS", "pytest_asyncio.plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest"], cwd=project.path, capture_output=True, text=True, check=False
    )

    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["--record-cassettes", "--llm-mode=live"])
def test_it_goes_with_replay(project: Project, mode: str) -> None:
    alone(project, ONE)

    result = project.run_apart(GUARD, mode)

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--llm-network-guard=namespace goes with replay: in mode *; record with *=python*"])


def test_hosts_that_are_allowed_contradict_it(project: Project) -> None:
    project.ini("llm_allow_hosts = localhost 127.0.0.1:80 db.internal")

    result = project.run_apart(GUARD, "--llm-allow-host=10.0.0.0/8")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*reaches loopback only, but 10.0.0.0/8, db.internal should be allowed*"])


def test_with_mode_off_nothing_is_done_about_the_network(project: Project) -> None:
    project.write("test_it.py", ALONE + "def test_one(): assert not only_loopback()")
    own_address()

    project.run_apart(GUARD, "--llm-mode=off", passed=1)


# Where it cannot be had


def without_rights(*settings: str) -> list[str]:
    """Return what a command is run by to be in a user namespace of its own, with limits."""
    script = " && ".join([*(f"echo 0 > /proc/sys/user/{name}" for name in settings), 'exec "$@"'])
    return ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare here")
def test_where_the_system_refuses_the_run_ends_with_the_reason(permitted: None, project: Project) -> None:
    alone(project, ONE)
    own_address()
    command = [*without_rights("max_net_namespaces"), sys.executable, "-m", "pytest", GUARD, "--llm-mode=replay"]

    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)

    if "unshare:" in done.stderr:
        pytest.skip(f"a user namespace cannot be had here: {done.stderr.strip()}")
    assert done.returncode == 4
    assert "--llm-network-guard=namespace cannot be had here: the system refuses it" in done.stderr
    assert "sysctl user.max_net_namespaces" in done.stderr
    assert "passed" not in done.stdout


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv here")
def test_who_may_not_do_it_as_root_does_it_with_rights_of_their_own(permitted: None, project: Project) -> None:
    alone(project, ONE, "def test_user():\n    print('USER', os.getuid())\n")
    bare = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    command = [*bare, sys.executable, "-m", "pytest", GUARD, "--llm-mode=replay", "-s", "-p", "no:cacheprovider"]

    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)

    if "setpriv:" in done.stderr:
        pytest.skip(f"rights cannot be given up here: {done.stderr.strip()}")
    if "cannot be had here" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert "2 passed" in done.stdout
    assert f"USER {namespace.os.getuid()}" in done.stdout


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare here")
def test_a_place_without_a_network_is_accepted_as_it_is(permitted: None, project: Project) -> None:
    alone(project, ONE, "def test_loopback(): socket.create_server(('127.0.0.1', 0)).close()")
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "pytest", GUARD]

    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=False)

    if "unshare:" in done.stderr:
        pytest.skip(f"a namespace cannot be made from outside: {done.stderr.strip()}")
    assert "2 passed" in done.stdout, done.stderr


# Ports of outside


@contextmanager
def echo() -> Iterator[int]:
    """Listen on loopback, and send back in capitals what comes until the sender has ended."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data.upper())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("plugin", ["no:none", "threads"])
def test_a_port_that_is_named_leads_out(permitted: None, project: Project, plugin: str) -> None:
    project.write("threads.py", THREADS)
    with echo() as port:
        alone(
            project,
            ONE,
            f"""
def ask(size):
    with socket.create_connection(("127.0.0.1", {port})) as connection:
        threading.Thread(target=lambda: (connection.sendall(b"a" * size), connection.shutdown(1))).start()
        found = b""
        while data := connection.recv(65536):
            found += data
    return found

def test_small_and_large():
    for size in (1, 3_000_000, 2):
        assert ask(size) == b"A" * size
""",
        )
        project.ini(f"llm_network_guard_forward = {port}")

        project.run_apart("-p", plugin, "--llm-mode=replay", GUARD, passed=2)


def test_a_port_that_nobody_listens_at_ends_connections(permitted: None, project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    alone(
        project,
        f"""
def test_one():
    with socket.create_connection(("127.0.0.1", {port})) as connection:
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
""",
    )
    project.ini(f"llm_network_guard_forward = {port}")

    project.run_apart("--llm-mode=replay", GUARD, passed=1)


def test_names_are_not_looked_up_by_services_outside(permitted: None, project: Project) -> None:
    folder = project.path / "resolver"
    folder.mkdir()
    entering = f"""
import os, socket
from tapemeter.isolation import namespace
namespace.RESOLVERS = ({str(folder)!r}, "/nowhere")
service = socket.socket(socket.AF_UNIX)
os.chdir({str(folder)!r})
service.bind("socket")
service.listen()
socket.socket(socket.AF_UNIX).connect("socket")  # by a short path, as one of a unix socket has to be
os.chdir("/")
namespace.enter()
assert os.listdir({str(folder)!r}) == []
print("HIDDEN")
"""

    done = subprocess.run([sys.executable, "-c", entering], capture_output=True, text=True, check=False)

    assert done.stdout == "HIDDEN\n", done.stderr
    assert (folder / "socket").exists()
