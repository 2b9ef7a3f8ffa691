"""Models' wire protocols: which requests are calls of a model, what each asks for, and what its answer used.

claims, claims_body    is it a model call at all?
ask                    what does it ask for: model, characters, a bound on its tokens
answered               what did its answer use
watch                  how much text has come so far
refused                the answer in place of a model's, where a budget stops the call
register               have a protocol of one's own read: a Wire, whose functions fill a Prompt and a Fold
"""

from tapemeter.providers.answering import answered, watch
from tapemeter.providers.asking import ask
from tapemeter.providers.claims import RULES, SDK_HEADER, Rule, claims, claims_body, is_finished
from tapemeter.providers.fold import Fold
from tapemeter.providers.own import Registration, register
from tapemeter.providers.prompt import Prompt
from tapemeter.providers.refusal import error_body, refused
from tapemeter.providers.usage import Spelling
from tapemeter.providers.wire import Tokens, Wire

__all__ = [
    "RULES",
    "SDK_HEADER",
    "Fold",
    "Prompt",
    "Registration",
    "Rule",
    "Spelling",
    "Tokens",
    "Wire",
    "answered",
    "ask",
    "claims",
    "claims_body",
    "error_body",
    "is_finished",
    "refused",
    "register",
    "watch",
]
