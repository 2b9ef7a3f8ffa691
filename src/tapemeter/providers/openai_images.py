"""OpenAI's images: made, edited, varied. Older models count images, newer ones tokens as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.usage import RESPONSES
from tapemeter.providers.values import each
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_IMAGES = ("image", "images", "mask")


def ask(body: Json, prompt: Prompt) -> None:
    """Add a request's prompt and images."""
    if isinstance(body.get("prompt"), str):
        prompt.item()
        prompt.say(body["prompt"])
    for key in _IMAGES:
        for _ in each(body.get(key)):
            prompt.medium()


def read(value: Json, fold: Fold) -> None:
    """Read a whole answer, or one event of a stream."""
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    made = len(each(value.get("data")))
    kind = value.get("type")
    if isinstance(kind, str) and kind.endswith(".completed"):
        made += 1
    if made:
        fold.count("images", made)
    for image in each(value.get("data")):
        fold.say(image.get("revised_prompt") if isinstance(image, dict) else None)
    usage = value.get("usage")
    if isinstance(usage, dict):
        fold.report(usage, RESPONSES)
        fold.is_final = True


IMAGES = Wire(
    name="openai_images",
    family="openai",
    operation="image_generation",
    ask=ask,
    read=read,
    follow=read,
    tokens=Tokens.UNTOLD,
)
