"""OpenAI's speech, transcriptions and translations, which Mistral and others speak, too.

Newer models tell tokens, older ones the seconds of the recording, or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapemeter.providers.usage import spelling_of
from tapemeter.providers.values import count, each, fields
from tapemeter.providers.wire import Tokens, Wire

if TYPE_CHECKING:
    from tapemeter.providers.fold import Fold
    from tapemeter.providers.prompt import Prompt
    from tapemeter.providers.values import Json

_DELTAS = ("transcript.text.delta", "transcription.text.delta")
_LAST = ("transcript.text.done", "transcription.done", "speech.audio.done")
_SECONDS = ("seconds", "prompt_audio_seconds")
_MOST_SECONDS = 1e9


def _ask_speech(body: Json, prompt: Prompt) -> None:
    prompt.inputs(body.get("input"))
    if "instructions" in body:
        prompt.item()
        prompt.say(body["instructions"])


def _ask_recording(body: Json, prompt: Prompt) -> None:
    for recording in each(body.get("file")):
        prompt.recording(count(fields(recording).get("bytes")))
    for key in ("file_url", "file_id"):
        if body.get(key) is not None:
            prompt.recording(None)
    for text in (body.get("prompt"), *each(body.get("context_bias"))):
        if isinstance(text, str):
            prompt.item()
            prompt.say(text)


def _read(value: Json, fold: Fold) -> None:
    if value.get("error"):
        fold.fail(value)
    fold.identify(value)
    fold.say(value.get("text"))
    _count(value, fold)


def _follow(event: Json, fold: Fold) -> None:
    kind = event.get("type")
    if kind in _DELTAS:
        fold.say(event.get("delta"))
        fold.say(event.get("text"))
    elif kind in _LAST:
        # The last event has all of the text again.
        streamed = fold.take()
        _read(event, fold)
        fold.keep_longer(streamed)
    elif event.get("error"):
        fold.fail(event)


def _count(value: Json, fold: Fold) -> None:
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return
    for key in _SECONDS:
        seconds = usage.get(key)
        if isinstance(seconds, int | float) and 0 < seconds < _MOST_SECONDS:
            fold.count("seconds", seconds)
    fold.report(usage, spelling_of(usage))
    fold.is_final = True


SPEECH = Wire(
    name="openai_speech",
    family="openai",
    operation="speech",
    ask=_ask_speech,
    read=_read,
    follow=_follow,
    tokens=Tokens.UNTOLD,
)

TRANSCRIPTIONS = Wire(
    name="openai_transcriptions",
    family="openai",
    operation="transcription",
    ask=_ask_recording,
    read=_read,
    follow=_follow,
    tokens=Tokens.UNTOLD,
    says_text=True,
)

TRANSLATIONS = Wire(
    name="openai_translations",
    family="openai",
    operation="translation",
    ask=_ask_recording,
    read=_read,
    follow=_follow,
    tokens=Tokens.UNTOLD,
    says_text=True,
)
