"""The parts that Gemini's requests are made of.

Google's servers take both spellings of a name, `systemInstruction` and `system_instruction`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapemeter.providers.values import each, fields

if TYPE_CHECKING:
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_SCHEMAS = ("parameters", "parametersJsonSchema", "parameters_json_schema")
_RESULTS = ("response", "responseJsonSchema", "response_json_schema")
_CALLS = ("functionCall", "function_call", "toolCall", "tool_call")
_RETURNS = ("functionResponse", "function_response", "toolResponse", "tool_response")
_FILES = ("inlineData", "inline_data", "fileData", "file_data")
_RUNS = ("executableCode", "executable_code", "codeExecutionResult", "code_execution_result")


def pick(value: Json, key: str, other: str) -> Any:
    """Return what stands under a name or its other spelling."""
    found = value.get(key)
    return value.get(other) if found is None else found


def ask_content(value: Any, prompt: Prompt) -> None:
    """Add a content, a list of them, or a text."""
    for content in each(value):
        prompt.item()
        if isinstance(content, str):
            prompt.say(content)
            continue
        for part in each(fields(content).get("parts")):
            ask_part(fields(part), prompt)


def ask_part(part: Json, prompt: Prompt) -> None:
    """Add one part: a text, a call of a tool, what it returned, code, or a file."""
    prompt.say(part.get("text"))
    prompt.hide(pick(part, "thoughtSignature", "thought_signature"))
    for key in _CALLS:
        call = part.get(key)
        if isinstance(call, dict):
            prompt.item()
            prompt.say(call.get("name"))
            prompt.show(call.get("args"))
    for key in _RETURNS:
        returned = part.get(key)
        if isinstance(returned, dict):
            prompt.item()
            prompt.say(returned.get("name"))
            prompt.show(returned.get("response"))
            for inner in each(returned.get("parts")):
                _ask_files(fields(inner), prompt)
    for key in _RUNS:
        run = fields(part.get(key))
        prompt.say(run.get("code"))
        prompt.say(run.get("output"))
    _ask_files(part, prompt)


def _ask_files(part: Json, prompt: Prompt) -> None:
    for key in _FILES:
        if part.get(key) is None:
            continue
        file = fields(part[key])
        kind = pick(file, "mimeType", "mime_type")
        if isinstance(kind, str) and kind.startswith("image/"):
            prompt.medium()
        elif isinstance(kind, str) and kind.startswith("text/") and isinstance(file.get("data"), str):
            prompt.hide(file["data"])  # base64 is longer than what it stands for
        else:
            prompt.long_medium()


def ask_tools(value: Any, prompt: Prompt) -> None:
    """Add the definitions of functions, and tools that Google defines."""
    tools: list[Json] = []
    for given in each(value):
        tool = fields(given)
        declared = pick(tool, "functionDeclarations", "function_declarations")
        tools += [_tool(fields(declaration)) for declaration in each(declared)]
        tools += [{}] * len(tool.keys() - {"functionDeclarations", "function_declarations"})
    prompt.tools(tools)


def _tool(declaration: Json) -> Json:
    """Return a function as other protocols define it; what it returns is described, too."""
    tool: Json = {"name": declaration.get("name"), "description": declaration.get("description"), "parameters": {}}
    for key in _SCHEMAS:
        if declaration.get(key) is not None:
            tool["parameters"] = declaration[key]
    for key in _RESULTS:
        if declaration.get(key) is not None:
            tool["format"] = declaration[key]
    return tool
