"""With `--llm-network-guard=process`, what a test starts is held to the same network as the test itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from spending import report
from ways_out import (
    CHILDREN,
    IN_PROCESS,
    LIBRARIES,
    LIBRARY_CHILDREN,
    PROGRAMS,
    Outside,
    available,
    ended,
    own_address,
)

if TYPE_CHECKING:
    from conftest import Project
    from loopback import Loopback

GUARD = ("--llm-mode=replay", "--llm-network-guard=process", "-W", "ignore")

CHILD = """
import os, socket, subprocess, sys
import pytest, tapemeter

CONNECT = '''
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
except OSError as error:
    print(type(error).__name__)
else:
    print("reached")
'''

def child(host, port, *flags, code=CONNECT, **options):
    words = [sys.executable, *flags, "-c", code, host, str(port)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, **options)
    return done.stdout.strip()
"""


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the runs load what they need, rather than all that is installed, which takes most of their time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "tapemeter.pytest_plugin,pytest_asyncio.plugin,xdist.plugin")


def test_no_way_leads_out_that_would_without_the_guard(project: Project) -> None:
    ways = available(IN_PROCESS, CHILDREN, PROGRAMS, LIBRARIES, LIBRARY_CHILDREN)
    with Outside(own_address()) as outside:
        outside.write(project, ways)
        project.run_apart("--llm-mode=live", "-W", "ignore", passed=len(ways))
        assert outside.reached() == set(ways)
    with Outside(own_address()) as outside:
        outside.write(project, ways)
        result = project.run_apart(*GUARD, "-rP", passed=len(ways))
        assert outside.reached() == set()

    errors = ended(result.outlines)
    refused_here = set(available(IN_PROCESS, PROGRAMS, LIBRARIES)) - {"curl of a child", "uvloop.child"}
    assert {way for way, error in errors.items() if error == "NetworkBlockedError"} == refused_here
    # Each child reports, whatever became of its own error, and names the test where its environment still does.
    nameless = {"a child with an environment", "a child that keeps the path", "a grandchild"}
    for way in set(available(CHILDREN)) - nameless:
        result.stdout.fnmatch_lines([f"  {outside.host}:*  test_ways.py::test_way[[]{way}]*"])
    assert sum(line.endswith("  a child process") for line in result.outlines) == 3


def test_a_child_is_held_to_what_its_test_may_reach(project: Project) -> None:
    with Outside(own_address()) as outside:
        outside.write(project, {"a": "None", "b": "None"})
        project.write(
            "test_it.py",
            f"""
            {CHILD.replace(chr(10), chr(10) + " " * 12)}
            import json
            with open("ways.json") as file:
                HOST, WAYS = json.load(file)
            A, B = WAYS["a"][1], WAYS["b"][1]

            def test_nothing_but_loopback():
                assert child(HOST, A) == "NetworkBlockedError"
                with socket.create_server(("127.0.0.1", 0)) as server:
                    assert child(*server.getsockname()) == "reached"

            @pytest.mark.llm_network(allow=[f"{{HOST}}:{{A}}"])
            def test_what_the_marker_names():
                assert child(HOST, A) == "reached"
                assert child(HOST, A, env={{}}) == "reached"
                assert child(HOST, B) == "NetworkBlockedError"

            def test_a_session_that_the_child_opens_loosens_nothing():
                with open("test_inner.py", "w") as file:
                    file.write(
                        "import socket, pytest\\n"
                        "def test_inner():\\n"
                        "    with pytest.raises(OSError, match='nothing was sent'):\\n"
                        f"        socket.create_connection(('{{HOST}}', {{A}}))\\n"
                    )
                words = [sys.executable, "-m", "pytest", "--llm-mode=live", "test_inner.py"]
                assert subprocess.run(words, capture_output=True).returncode == 0

            def test_what_is_let_through_here_is_let_through_there():
                from tapemeter.intercept import guard
                with guard.passing():
                    assert child(HOST, A) == "reached"
                    assert child(HOST, A, env=dict(os.environ)) == "reached"
                assert child(HOST, A) == "NetworkBlockedError"

            @pytest.mark.llm_network(allow=[])
            def test_not_even_loopback():
                with socket.create_server(("127.0.0.1", 0)) as server:
                    assert child(*server.getsockname()) == "NetworkBlockedError"

            @pytest.mark.llm_network(allow=["*.example", "10.0.0.0/8:443", "[2001:db8::7]:443"])
            def test_every_form_of_a_host():
                code = '''
            import sys
            for host, port in ("a.example", 1), ("10.1.2.3", 443), ("2001:db8::7", 443), ("10.1.2.3", 80):
                try:
                    sys.audit("socket.connect", type("Socket", (), {{"family": 2}}), (host, port))
                except OSError:
                    print(host, port)
            '''
                assert child("", 0, code=code) == "10.1.2.3 80"
            """,
        )

        project.run_apart(*GUARD, "test_it.py", passed=6)


def test_a_child_gets_the_error_by_its_name_and_the_session_lists_it(project: Project) -> None:
    project.write(
        "test_it.py",
        f"""
        {CHILD.replace(chr(10), chr(10) + " " * 8)}
        OURS = '''
        import socket, sys
        print("tapemeter" in sys.modules)
        import tapemeter
        try:
            socket.getaddrinfo("name.example", 80)
        except tapemeter.NetworkBlockedError as error:
            print(error.host, error.port, error.test)
        '''

        def test_one():
            assert child("", 0, code=OURS).splitlines() == [
                "False", "name.example None test_it.py::test_one, in a child process"
            ]

        def refused():
            with pytest.raises(tapemeter.NetworkBlockedError):
                socket.getaddrinfo("fork.example", 80)

        def test_fork():
            import multiprocessing
            process = multiprocessing.get_context("fork").Process(target=refused)
            process.start()
            process.join()
            assert process.exitcode == 0

        def test_pool():
            from concurrent.futures import ProcessPoolExecutor
            import multiprocessing
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                with pytest.raises(tapemeter.NetworkBlockedError, match="in a child process wanted to look up"):
                    pool.submit(socket.getaddrinfo, "pool.example", 80).result()
        """,
    )

    result = project.run_apart(*GUARD, passed=3)

    result.stdout.fnmatch_lines(
        [
            "network guard: process",
            "refused by the network guard:",
            "  name.example  test_it.py::test_one, in a child process",
            "  fork.example  test_it.py::test_fork",
            "  pool.example  test_it.py::test_pool, in a child process",
        ],
    )
    workers = project.run_apart(*GUARD, "-n", "2", passed=3)
    for name in ("name", "fork", "pool"):
        workers.stdout.fnmatch_lines([f"  {name}.example  test_it.py::test_*"])


def test_a_child_runs_the_sitecustomize_that_it_would_have_run(project: Project) -> None:
    project.write("site/sitecustomize.py", "import sys; sys.was_here = __name__, __file__\n")
    project.write(
        "test_it.py",
        f"""
        {CHILD.replace(chr(10), chr(10) + " " * 8)}
        CODE = '''
        import sitecustomize, sys
        assert sys.was_here == ("sitecustomize", sitecustomize.__file__)
        assert not [path for path in sys.path if "tapemeter-guard" in path]
        print(sitecustomize.__file__)
        ''' + CONNECT

        def test_one(monkeypatch):
            monkeypatch.setenv("PYTHONPATH", os.path.abspath("site"), prepend=os.pathsep)
            said = child("192.0.2.1", 9, code=CODE).splitlines()
            assert said == [os.path.abspath("site/sitecustomize.py"), "NetworkBlockedError"]

        def test_without_one():
            assert child("192.0.2.1", 9) == "NetworkBlockedError"
        """,
    )

    project.run_apart(*GUARD, passed=2)


def test_a_child_whose_guard_cannot_be_put_up_does_not_start(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, pathlib, subprocess, sys

        def test_one():
            folder = pathlib.Path(os.environ["PYTHONPATH"].split(os.pathsep)[0])
            (folder / "guard.json").write_text("{")
            done = subprocess.run([sys.executable, "-c", "print('started')"], capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (1, "")
            assert "does not start: the network guard of the tests that started it cannot be put up" in done.stderr
        """,
    )

    project.run_apart(*GUARD, passed=1)


def test_where_the_network_is_open_children_are_left_alone_and_all_is_undone(project: Project) -> None:
    project.write(
        "test_it.py",
        f"""
        {CHILD.replace(chr(10), chr(10) + " " * 8)}
        ASK = '''
        import sys
        sys.audit("socket.getaddrinfo", "example.com", 80, 0, 0, 0)
        print("open")
        '''
        def test_open():
            assert child("", 0, code=ASK) == "open"
            assert child("", 0, code=ASK, env=dict(os.environ)) == "open"
            assert "tapemeter-guard" not in os.environ.get("PYTHONPATH", "")

        def test_closed(block_network):
            assert child("", 0, code=ASK, stderr=subprocess.DEVNULL) == ""
            assert child("", 0, code=ASK, stderr=subprocess.DEVNULL, env=dict(os.environ)) == ""

        def test_open_again():
            assert child("", 0, code=ASK) == "open"
        """,
    )
    project.write(
        "conftest.py",
        """
        import os, subprocess
        import pytest

        BEFORE = subprocess.Popen.__init__, os.environ.get("PYTHONPATH")

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            after = subprocess.Popen.__init__, os.environ.get("PYTHONPATH")
            print("UNDONE" if after == BEFORE else after)
        """,
    )

    result = project.run_apart("--llm-mode=live", *GUARD[1:], "-s", passed=3)

    result.stdout.fnmatch_lines(["UNDONE"])
    project.run_apart(*GUARD, "-k", "closed", "-s", passed=1).stdout.fnmatch_lines(["UNDONE"])


def test_a_program_that_is_known_starts_for_loopback_only(project: Project, server: Loopback) -> None:
    project.write(
        "test_it.py",
        f"""
        import os, subprocess
        import pytest, tapemeter

        URL = "http://127.0.0.1:{server.port}/health"

        @pytest.mark.skipif(not os.path.exists("/usr/bin/curl"), reason="curl is not there")
        def test_loopback():
            subprocess.run(["curl", "-sSf", "-o", os.devnull, URL], check=True)

        def test_elsewhere():
            with pytest.raises(tapemeter.NetworkBlockedError) as refused:
                subprocess.run(["curl", "-sSf", URL, "https://key@far.example/?secret"])
            assert (refused.value.host, refused.value.port) == ("far.example", 443)
            assert "test_elsewhere wanted to start curl for far.example:443" in str(refused.value)
            assert "secret" not in str(refused.value) and "key" not in str(refused.value)

        def test_nobody_knows_where():
            with pytest.raises(tapemeter.NetworkBlockedError, match="wanted to start ssh, which uses the network"):
                os.system("cd / && ssh somewhere")

        @pytest.mark.llm_network(allow=["far.example"])
        def test_allowed():
            with pytest.raises(FileNotFoundError):
                subprocess.run(["./wget", "https://far.example/"])
        """,
    )

    result = project.run_apart(*GUARD)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["  far.example:443  test_it.py::test_elsewhere", "  ssh  test_it.py::test_nobody_*"])


def test_the_evidence_and_junit_say_which_guard_was_in_force(project: Project, server: Loopback) -> None:
    project.write("test_it.py", "import talk\ndef test_one(): talk.ask('hello')\n")
    project.run_apart("--record-cassettes", passed=1)
    project.ini("llm_network_guard = process")

    project.run_apart("--llm-mode=replay", "--junit-xml=junit.xml", passed=1)

    assert report(project)["guard"] == "process"
    assert '"llm_network_guard" value="process"' in (project.path / "junit.xml").read_text("utf-8")


def test_an_unknown_guard_is_a_usage_error(project: Project) -> None:
    result = project.run_apart("--llm-network-guard=firewall")

    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--llm-network-guard=firewall is unknown; write one of python, process, namespace*"])


def test_nothing_of_it_is_imported_with_the_guard_that_every_session_has(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import sys

        def test_one():
            assert not [name for name in sys.modules if name.startswith("tapemeter.isolation")]
            assert "tapemeter.pytest_plugin.moving" not in sys.modules
        """,
    )

    project.run_apart("--llm-mode=replay", passed=1)
    project.run_apart(passed=1)
