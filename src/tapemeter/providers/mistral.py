"""What Mistral adds to the protocols of OpenAI: moderations and classifications that cost, and the reading of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.usage import CHAT
from tapemeter.providers.values import each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_FORMATS = ("bbox_annotation_format", "document_annotation_format")


def _ask_moderation(body: Json, prompt: Prompt) -> int:
    _ask_inputs(body.get("input"), prompt)
    return 0


def _ask_inputs(value: Any, prompt: Prompt) -> None:
    """Add a text, a conversation, or a list of either."""
    for given in each(value):
        if isinstance(given, list):
            _ask_inputs(given, prompt)
            continue
        prompt.item()
        prompt.content(given.get("content", given.get("messages")) if isinstance(given, dict) else given)


def _read_moderation(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, CHAT)


MODERATIONS = Wire(
    name="mistral_moderations",
    family="mistral",
    operation="moderation",
    ask=_ask_moderation,
    read=_read_moderation,
    follow=_read_moderation,
    tokens=Tokens.INPUT,
)


def _ask_pages(body: Json, prompt: Prompt) -> int:
    for key in _FORMATS:
        prompt.schema(fields(body.get(key)).get("json_schema"))
    prompt.say(body.get("document_annotation_prompt"))
    return 0


def _read_pages(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    for page in each(value.get("pages")):
        fold.say(fields(page).get("markdown"))
    fold.say(value.get("document_annotation"))
    pages = fields(value.get("usage_info")).get("pages_processed")
    if type(pages) is int and pages > 0:
        fold.count("pages", pages)


OCR = Wire(
    name="mistral_ocr",
    family="mistral",
    operation="ocr",
    ask=_ask_pages,
    read=_read_pages,
    follow=_read_pages,
    tokens=Tokens.UNTOLD,
)
