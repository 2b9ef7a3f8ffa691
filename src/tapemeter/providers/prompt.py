"""The canonical text parts of a request, how their characters are counted, and what bounds their tokens.

Text parts of a prompt are every text that the request gives the model:

    messages      the text of each content part, and the names of speakers
    instructions  `system`, `instructions`
    earlier turns names and arguments of tool calls, tool results, refusals, reasoning that is sent back
    tools         name, description, JSON schema and examples of each, and the JSON schema that the answer has to follow
    the rest      prompts of completions, inputs of embeddings

Text parts of an answer are its text, refusals, reasoning that is shown, and the names and arguments of tool calls.

Characters are Unicode code points after JSON decoding. What is an object (a schema, the arguments of a tool call in
Anthropic's protocol) counts as compact JSON: `json.dumps(value, ensure_ascii=False, separators=(",", ":"))`; what
comes as text, counts as it came. Media, roles, ids and settings count nothing.

Every token of today's byte-level tokenizers is at least one byte, so the tokens of an input cannot exceed the sum of

    the bytes     of the text parts in UTF-8, and of reasoning that is sent back encrypted
    16            for each message, item, tool call, and separate input
    512           once, where there are tools
    1,024         for each tool that the provider defines itself
    20,000        for each image, recording or file
    1,048,576     for each film, recording or document that is given to Gemini or Bedrock: the largest context there is
    a 16th byte   of each recording that is to be written down, but 20,000 at least and 1,048,576 at most
    1             for each token that is given by its number

What the provider adds on its own account is beyond it: an earlier conversation that it kept (`previous_response_id`),
and what its own tools find while it answers.
"""

from __future__ import annotations

from typing import Any

from tapemeter.providers.values import compact, each, fields

TOKENS_PER_MESSAGE = 16
TOKENS_FOR_TOOLS = 512
TOKENS_PER_PROVIDER_TOOL = 1024
TOKENS_PER_MEDIUM = 20_000
LARGEST_CONTEXT = 1_048_576
_BYTES_PER_AUDIO_TOKEN = 16
"""Speech models hear up to 12.5 tokens a second, and no codec in use needs less than 200 bytes for one."""

_TEXTS = ("text", "refusal", "thinking")
_DEFINED = ("parameters", "input_schema", "format", "input_examples", "tools")


class Prompt:
    """Adds up the text parts of one request: `chars` are its code points, `bound` the tokens it cannot exceed.

    `model` is for a protocol whose body names the model elsewhere than under `model`.
    """

    __slots__ = ("bound", "chars", "model")

    def __init__(self) -> None:
        self.chars = 0
        self.bound = 0
        self.model: str | None = None

    def say(self, text: Any) -> None:
        """Add a text part; whatever is not a text adds nothing."""
        if isinstance(text, str):
            length = len(text)
            self.chars += length
            self.bound += length if text.isascii() else len(text.encode("utf-8", "surrogatepass"))

    def show(self, value: Any) -> None:
        """Add a text part that is text already or else becomes compact JSON; null and an empty object add nothing."""
        if isinstance(value, str):
            self.say(value)
        elif value is not None and value != {}:
            self.say(compact(value))

    def item(self) -> None:
        """Add what surrounds a message, an item or a tool call."""
        self.bound += TOKENS_PER_MESSAGE

    def medium(self) -> None:
        """Add an image, a recording or a file."""
        self.bound += TOKENS_PER_MEDIUM

    def long_medium(self) -> None:
        """Add a film, a recording or a document of which nothing but the model's context bounds the tokens."""
        self.bound += LARGEST_CONTEXT

    def recording(self, size: int | None) -> None:
        """Add speech that is to be written down, by its bytes; None where they are not known."""
        most = LARGEST_CONTEXT if size is None else size // _BYTES_PER_AUDIO_TOKEN
        self.bound += min(max(most, TOKENS_PER_MEDIUM), LARGEST_CONTEXT)

    def hide(self, text: Any) -> None:
        """Add what the model reads and nobody else can: it has tokens, but no characters."""
        if isinstance(text, str):
            self.bound += len(text.encode("utf-8", "surrogatepass"))

    def content(self, value: Any) -> None:
        """Add a message's content: a text, a part, or a list of them. A part without a text is a medium."""
        if isinstance(value, str):
            self.say(value)
            return
        for part in each(value):
            if isinstance(part, str):
                self.say(part)
            elif isinstance(part, dict):
                self._part(part)

    def _part(self, part: dict[str, Any]) -> None:
        texts = [part[key] for key in _TEXTS if part.get(key) is not None]
        if not texts:
            self.medium()
        for text in texts:
            self.content(text)

    def inputs(self, value: Any) -> None:
        """Add a text, a list of texts, a list of token numbers, or a list of such lists."""
        numbers = 0
        for part in each(value):
            if isinstance(part, int):
                numbers += 1
            elif isinstance(part, list):
                self.inputs(part)
            else:
                self.item()
                self.content(part)
        if numbers:
            self.bound += numbers
            self.item()

    def tools(self, value: Any) -> None:
        """Add the definitions of tools, of whatever protocol."""
        tools = each(value)
        if tools:
            self.bound += TOKENS_FOR_TOOLS
        for given in tools:
            tool = fields(given)
            tool = fields(tool.get("function") or tool.get("custom") or tool)
            self.say(tool.get("name"))
            self.say(tool.get("description"))
            defined = [tool[key] for key in _DEFINED if tool.get(key) is not None]
            for definition in defined:
                self.show(definition)
            if not defined:
                self.bound += TOKENS_PER_PROVIDER_TOOL

    def schema(self, value: Any) -> None:
        """Add the JSON schema that the answer has to follow, with its name and description."""
        form = fields(value)
        self.say(form.get("name"))
        self.say(form.get("description"))
        self.show(form.get("schema"))
