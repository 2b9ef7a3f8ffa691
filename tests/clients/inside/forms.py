"""The tests of a program in each of its forms. They stand as `test_forms.py` beside the program, `program.py`."""

import asyncio
import contextvars
import inspect
import os

import program
import pytest

PROMPT = "usage 90 40"
FORMS = {f"{operation} - {form}": ask for operation, forms in program.FORMS.items() for form, ask in forms.items()}

LOOP = asyncio.Runner()
"""One for all tests, since LangChain and LiteLLM keep connections of the first that there is."""

each_form = pytest.mark.parametrize("ask", FORMS.values(), ids=FORMS)


@pytest.fixture(autouse=True)
def _address(request, monkeypatch):
    """Lead a program that is not intercepted to the proxy, which stands for the test."""
    if hasattr(program, "BASE_URL"):
        base_url = request.getfixturevalue("llm_proxy").add("wire", os.environ["WIRE_URL"])
        monkeypatch.setattr(program, "BASE_URL", f"{base_url}/v1")


def said(ask, prompt):
    if not inspect.iscoroutinefunction(ask):
        return ask(prompt)
    return LOOP.run(ask(prompt), context=contextvars.copy_context())  # its own context is that of the first test


@each_form
def test_answer(ask, note):
    note("said", repr(said(ask, PROMPT)))


@each_form
def test_error(ask, note):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each SDK has errors of its own, which are noted
        said(ask, "status 400")
    note("error", caught.type.__name__)


@each_form
@pytest.mark.llm_budget(calls=1)
@pytest.mark.expect_stopped_budget("calls", after_calls=1)
def test_stop(ask, note):
    said(ask, PROMPT)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - how the stop comes out is noted
        said(ask, PROMPT)
    note("stop", caught.type.__name__)


@each_form
def test_miss(ask, note, llm_cassette):
    with llm_cassette.expect_miss() as misses, pytest.raises(BaseException) as caught:  # noqa: PT011 - as above
        said(ask, "what nobody has recorded")
    note("miss", caught.type.__name__)
    assert len(misses) == 1
