"""Values never change, tell nothing that they should not, and are made in one way."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import pydoc
import re
from pathlib import Path

import pytest

import tapemeter
from tapemeter.cassette.match import Matcher
from tapemeter.cassette.tapes.convert import Converted
from tapemeter.cassette.tapes.model import TapeRequest, TapeResponse
from tapemeter.cli.files import Tape
from tapemeter.documents import Document
from tapemeter.intent import Intent
from tapemeter.metering.attempt import Attempt
from tapemeter.model import Chunk, Response
from tapemeter.providers.wire import Wire
from tapemeter.values import asdict, replace

SOURCE = Path(tapemeter.__file__).parent
DATACLASSES = {
    "client/config.py": "programs change a configuration by dataclasses.replace",
    "client/result.py": "programs take it apart by dataclasses.asdict; metadata does not count for equality",
    "model.py": "hooks change a Request by dataclasses.replace",
}
"""Files with classes for users, which their tools know."""
RESPONSE = Response(200, (("x-a", "1"),), (Chunk(0.1, b"body"),))


def test_a_value_never_changes() -> None:
    with pytest.raises(AttributeError):
        RESPONSE.status = 500  # type: ignore[misc]
    with pytest.raises(AttributeError):
        RESPONSE.reason = "OK"  # type: ignore[attr-defined]


def test_values_with_equal_fields_are_equal() -> None:
    same = Response(200, (("x-a", "1"),), (Chunk(0.1, b"body"),))
    assert same == RESPONSE
    assert hash(same) == hash(RESPONSE)
    assert replace(same, status=500) != same


def test_a_value_can_be_copied_and_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(RESPONSE)) == copy.deepcopy(RESPONSE) == RESPONSE


def test_a_copy_with_changes_is_another_value() -> None:
    changed = replace(RESPONSE, status=500, chunks=())
    assert (changed, RESPONSE.status) == (Response(500, RESPONSE.headers), 200)
    with pytest.raises(TypeError):
        replace(RESPONSE, reason="OK")


def test_a_value_can_be_taken_apart() -> None:
    assert asdict(Chunk(0.1, b"body")) == {"at": 0.1, "data": b"body"}


def test_what_changes_is_equal_to_itself_alone() -> None:
    intent = Intent("planner")
    intent.group = "main"
    assert intent == intent  # noqa: PLR0124 - the point
    assert intent != Intent("planner", group="main")
    assert len({intent, Intent("planner", group="main")}) == 2


def test_help_and_its_like_know_what_a_value_is_made_of() -> None:
    for kind in (Wire, Matcher, Attempt, Response):
        assert kind.__name__ in pydoc.render_doc(kind)
    assert str(inspect.signature(Chunk)) == "(at: 'float', data: 'bytes')"
    assert list(inspect.signature(Response).parameters) == list(Response.__struct_fields__)
    assert inspect.signature(Response).parameters["chunks"].default == ()


@pytest.mark.parametrize(
    "value",
    [
        TapeRequest("POST", "https://example.com/", body=b"hunter2"),
        TapeResponse(200, "OK", body=b"hunter2"),
        Converted("hunter2", ("headers",), ()),
        Document({"a": 1}, "llm.yaml", lines={("hunter2",): 1}),
        Tape(Path("a.yaml"), "tapemeter", 3, edited=False, entries=("hunter2",)),  # type: ignore[arg-type]
    ],
)
def test_what_is_long_or_not_yet_redacted_is_not_shown(value: object) -> None:
    assert repr(value).startswith(f"{type(value).__name__}(")
    assert "hunter2" not in repr(value)


def test_values_are_made_in_one_way() -> None:
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef)
        if any(re.match(r"(dataclasses\.)?dataclass\b", ast.unparse(decorator)) for decorator in node.decorator_list)
    }
    assert found == DATACLASSES.keys()
