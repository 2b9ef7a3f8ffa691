"""Reads a recorded call as a conversation: who said what, which tools were offered, what was answered.

    parts         a message and its parts, in every protocol
    asking        what a request says
    answering     what a response says
    streams       a stream folded into the body that the same call would have without one
    fold_openai   the streams of OpenAI and Anthropic
    fold_others   those of Gemini, Bedrock, Cohere, Ollama and Hugging Face

The shape of a body tells whose protocol it is, so that a server behind any address is read. A cassette may hold
anything: what has another shape is passed over, and never an error.
"""

from __future__ import annotations

from tapemeter.cassette.conversation.answering import Answered, answered
from tapemeter.cassette.conversation.asking import Asked, asked, question
from tapemeter.cassette.conversation.parts import Turn
from tapemeter.cassette.conversation.streams import answer, events, fold

__all__ = ["Answered", "Asked", "Turn", "answer", "answered", "asked", "events", "fold", "question"]
