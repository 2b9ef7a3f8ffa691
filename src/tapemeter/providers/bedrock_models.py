"""The bodies of models at Bedrock that have a form of their own: Titan's, Llama's, and the embeddings of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers import unknown
from tapemeter.providers.prompt import TOKENS_PER_MEDIUM
from tapemeter.providers.usage import RESPONSES
from tapemeter.providers.values import compact, count, each, fields

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_MOST_OUTPUT = ("max_gen_len", "max_tokens_to_sample", "max_tokens", "maxTokens")
_TITAN = ("inputTextTokenCount", "outputText", "results")
_LLAMA = ("generation", "prompt_token_count")


def ask_titan(body: Json, prompt: Prompt) -> int | None:
    """Add a request to Titan."""
    prompt.item()
    prompt.say(body["inputText"])
    return count(fields(body.get("textGenerationConfig")).get("maxTokenCount"))


def ask_prompt(body: Json, prompt: Prompt) -> int | None:
    """Add a request that is one text, as Llama's and Mistral's are."""
    prompt.item()
    prompt.say(body.get("prompt"))
    for _ in each(body.get("images")):
        prompt.medium()
    given = [most for key in _MOST_OUTPUT if (most := count(body.get(key))) is not None]
    return max(given) if given else None


def ask_other(body: Json, prompt: Prompt) -> int | None:
    """Add a request of another form; whatever is in it may be given to the model, so all of it bounds the tokens."""
    most = unknown.ask(body, prompt)
    prompt.bound += len(compact(body).encode("utf-8", "surrogatepass"))
    return most


def ask_to_embed(body: Json, prompt: Prompt) -> None:
    """Add what is to be embedded: a text of Titan's, texts of Cohere's, or images."""
    for text in (*each(body.get("inputText")), *each(body.get("texts"))):
        prompt.item()
        prompt.content(text)
    images = [*each(body.get("inputImage")), *each(body.get("images"))]
    prompt.bound += TOKENS_PER_MEDIUM * len(images)
    others = {key: value for key, value in body.items() if key not in {"inputText", "texts", "inputImage", "images"}}
    prompt.bound += len(compact(others).encode("utf-8", "surrogatepass"))


def read(value: Json, fold: Fold) -> bool:
    """Read an answer of Titan or Llama, or one event of its stream; False where it is neither's."""
    if any(key in value for key in _TITAN):
        _read_titan(value, fold)
        return True
    if any(key in value for key in _LLAMA):
        fold.say(value.get("generation"))
        _close(fold, value.get("prompt_token_count"), value.get("generation_token_count"), value.get("stop_reason"))
        return True
    return False


def _read_titan(value: Json, fold: Fold) -> None:
    written, reason = value.get("totalOutputTextTokenCount"), value.get("completionReason")
    fold.say(value.get("outputText"))
    for given in each(value.get("results")):
        result = fields(given)
        fold.say(result.get("outputText"))
        written, reason = result.get("tokenCount"), result.get("completionReason")
    _close(fold, value.get("inputTextTokenCount"), written, reason)


def _close(fold: Fold, read_tokens: object, written: object, reason: object) -> None:
    fold.end(0, reason)
    if count(read_tokens) is not None or count(written) is not None:
        fold.report({RESPONSES.input: read_tokens, RESPONSES.output: written}, RESPONSES)
        fold.is_final = reason is not None


def read_vectors(value: Json, fold: Fold) -> None:
    """Read vectors; Titan's say their tokens, those of others stand in the headers."""
    if value.get("error"):
        fold.fail(value)
    if count(value.get("inputTextTokenCount")) is not None:
        fold.report({RESPONSES.input: value["inputTextTokenCount"]}, RESPONSES)
