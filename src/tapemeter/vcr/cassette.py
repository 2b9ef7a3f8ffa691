"""A cassette of VCR.py's kind: its interactions, what was played of them, and what is to be written.

Each interaction is played once, the first that matches and was not played yet, in recorded order; in which order they
are asked for, and whether all are, does not matter. Nothing is read before it is loaded, nothing written before it is
saved.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from tapemeter import owner as owners
from tapemeter.cassette.mode import Mode
from tapemeter.vcr import forms, saving
from tapemeter.vcr.decorator import CassetteContextDecorator
from tapemeter.vcr.errors import MissingMetadataError, UnhandledHTTPRequestError
from tapemeter.vcr.filters import sensitive_data_hooks
from tapemeter.vcr.joining import VcrTape
from tapemeter.vcr.lookup import Lookup
from tapemeter.vcr.matchers import get_matchers_results, method, uri
from tapemeter.vcr.persisters.filesystem import CassetteDecodeError, CassetteNotFoundError, FilesystemPersister
from tapemeter.vcr.record_mode import RecordMode
from tapemeter.vcr.refused import refuse_patches
from tapemeter.vcr.secrets import Secrets
from tapemeter.vcr.serializers import yamlserializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Cassette", "CassetteContextDecorator", "CassetteDecodeError", "CassetteNotFoundError"]

_log = logging.getLogger("vcr.cassette")


def _same(value: Any) -> Any:
    return value


class Cassette:
    """Recorded requests and their responses. Safe for threads.

    `play_counts` says how often each was played, by its place; `rewound` whether it was loaded from a file; `dirty`
    whether anything was added since.
    """

    def __init__(  # noqa: PLR0917 - VCR.py's signature
        self,
        path: Any,
        serializer: Any = None,
        persister: Any = None,
        record_mode: Any = RecordMode.ONCE,
        match_on: Iterable[Callable[[Any, Any], Any]] = (uri, method),
        before_record_request: Callable[[Any], Any] | None = None,
        before_record_response: Callable[[Any], Any] | None = None,
        custom_patches: Any = (),
        inject: bool = False,  # noqa: FBT001, FBT002 - as above
        allow_playback_repeats: bool = False,  # noqa: FBT001, FBT002 - as above
        drop_unused_requests: bool = False,  # noqa: FBT001, FBT002 - as above
        filter_sensitive_data: Any = (),
        before_save_interaction: Any = None,
        after_load_interaction: Any = None,
        skip_patchers: Any = (),
    ) -> None:
        refuse_patches(custom_patches, skip_patchers)
        self._path = path
        self._serializer = serializer or yamlserializer
        self._persister = persister or FilesystemPersister
        self.record_mode = record_mode
        self._match_on = match_on
        self._before_record_request = before_record_request or _same
        self._before_record_response = before_record_response or _same
        self.inject = inject
        self.allow_playback_repeats = allow_playback_repeats
        self.drop_unused_requests = drop_unused_requests
        self._before_save_interaction = saving.hooks(before_save_interaction)
        self._after_load_interaction = saving.hooks(after_load_interaction)
        if filter_sensitive_data:
            hide, restore = sensitive_data_hooks(filter_sensitive_data)
            self._before_save_interaction.append(hide)
            self._after_load_interaction.insert(0, restore)
        self.data: list[tuple[Any, Any]] = []
        self.play_counts: Counter[int] = Counter()
        self.dirty = False
        self.rewound = False
        self.is_over = False
        """Whether it has been written for good; what comes later is written at once."""
        self.lock = threading.RLock()
        self._metadata: dict[str, Any] = {}
        self._loaded_count = 0
        self._old_interactions: list[tuple[Any, Any]] = []
        self._played_interactions: list[tuple[Any, Any]] = []
        self._secrets: list[tuple[Any, Secrets]] = []
        """Of what was recorded: the request, and what is secret of its interaction."""
        self._lookup = Lookup(tuple(match_on))

    @classmethod
    def load(cls, **options: Any) -> Cassette:
        """Return the cassette at `path`, loaded; empty where there is no file."""
        cassette = cls(**options)
        cassette._load()
        return cassette

    @classmethod
    def use(cls, **options: Any) -> CassetteContextDecorator:
        """Return what uses the cassette that the options describe, as a context manager or a decorator."""
        return CassetteContextDecorator.from_args(cls, **options)

    @classmethod
    def use_arg_getter(cls, arg_getter: Callable[[], dict[str, Any]]) -> CassetteContextDecorator:
        """Return the same for options that are asked for when it is used."""
        return CassetteContextDecorator(cls, arg_getter)

    # What it holds

    @property
    def path(self) -> Any:
        """Where it is kept."""
        return self._path

    @property
    def requests(self) -> list[Any]:
        """The requests, in recorded order."""
        return [request for request, _ in self.data]

    @property
    def responses(self) -> list[Any]:
        """The responses, in recorded order."""
        return [response for _, response in self.data]

    @property
    def play_count(self) -> int:
        """How many answers were played."""
        return sum(self.play_counts.values())

    @property
    def all_played(self) -> bool:
        """Whether each interaction was played."""
        return len(self.play_counts) == len(self)

    @property
    def write_protected(self) -> bool:
        """Whether nothing can be added."""
        return bool(self.record_mode == RecordMode.NONE or (self.rewound and self.record_mode == RecordMode.ONCE))

    @property
    def held_to_replay(self) -> bool:
        """Whether the mode of the session forbids recording, whatever the record mode says."""
        house = owners.house()
        return house is not None and house.mode is Mode.REPLAY

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self.data)

    def __contains__(self, request: Any) -> bool:
        return any(self._is_due(place) for place, _ in self._responses(request))

    def __repr__(self) -> str:
        return f"<Cassette containing {len(self)} recorded response(s)>"

    def append(self, request: Any, response: Any) -> None:
        """Add an interaction, if the hooks leave it; it is written without its secrets."""
        house = owners.house()
        self.admit(request, response, None if house is None else Secrets(house.redactor, forms.sent_of(request)))

    def admit(self, request: Any, response: Any, secrets: Secrets | None = None) -> None:
        """Add an interaction, if the hooks leave it; `secrets` are taken out when it is written."""
        request = self._before_record_request(request)
        if not request:
            return
        response = self._before_record_response(copy.deepcopy(response))
        if response is None:
            return
        with self.lock:
            self.data.append((request, response))
            self.dirty = True
            if secrets is not None:
                self._secrets.append((request, secrets))

    def filter_request(self, request: Any) -> Any:
        """Return a request as the hooks leave it; None where they drop it."""
        return self._before_record_request(request)

    # Playing

    def can_play_response_for(self, request: Any) -> Any:
        """Say whether there is an answer to a request that is still to be played."""
        request = self._before_record_request(request)
        return request and self.plays and request in self

    @property
    def plays(self) -> bool:
        """Whether recorded answers are played at all."""
        mode_plays = self.record_mode != RecordMode.ALL or self.held_to_replay
        return bool(mode_plays and (self.rewound or self.allow_playback_repeats))

    def play_response(self, request: Any) -> Any:
        """Return the next answer to a request and count it as played; UnhandledHTTPRequestError where there is none."""
        place = self.take(self._before_record_request(request))
        if place is None:
            raise self._unhandled(request)
        return self.data[place][1]

    def take(self, request: Any) -> int | None:
        """Return the place of the next answer to a request that was filtered, and count it as played."""
        with self.lock:
            place = next(filter(self._is_due, self._matching(request)), None) if request else None
            if place is None:
                return None
            if not self.play_counts[place] and place < self._loaded_count:
                self._played_interactions.append(self.data[place])
            self.play_counts[place] += 1
            return place

    def responses_of(self, request: Any) -> list[Any]:
        """Return all answers to a request; UnhandledHTTPRequestError where there is none."""
        responses = [response for _, response in self._responses(request)]
        if not responses:
            raise self._unhandled(request)
        return responses

    def rewind(self) -> None:
        """Count nothing as played."""
        self.play_counts = Counter()

    def find_requests_with_most_matches(
        self, request: Any
    ) -> list[tuple[Any, list[str], list[tuple[str, str | None]]]]:
        """Return the nearest recorded requests, each with the matchers that hold and those that fail."""
        request = self._before_record_request(request)
        results = [(stored, *get_matchers_results(request, stored, self._match_on)) for stored in self.requests]
        most = max((len(held) for _, held, _ in results), default=0)
        return [result for result in results if most and len(result[1]) == most]

    def _responses(self, request: Any) -> Iterator[tuple[int, Any]]:
        request = self._before_record_request(request)
        for place in self._matching(request) if request else ():
            yield place, self.data[place][1]

    def _matching(self, request: Any) -> list[int] | Iterator[int]:
        with self.lock:
            if self._lookup.match_on != tuple(self._match_on):
                self._lookup = Lookup(tuple(self._match_on))
            return self._lookup.matching(request, self.data)

    def _is_due(self, place: int) -> bool:
        return self.allow_playback_repeats or not self.play_counts[place]

    def _unhandled(self, request: Any) -> UnhandledHTTPRequestError:
        return UnhandledHTTPRequestError(f"the cassette {self._path!r} has no answer to {request!r}")

    @property
    def sends_nothing(self) -> bool:
        """Whether it answers all calls itself."""
        return self.write_protected or self.held_to_replay

    def tape(self, owner: Any) -> VcrTape:
        """Return it as the tape of a call; see `tapemeter.tape.Lendable`."""
        return VcrTape(owner, self)

    # Its file

    def get_metadata(self, key: str, default: Any) -> Any:
        """Return what is kept under a key, or keep the default there; MissingMetadataError where it may not be."""
        if key not in self._metadata:
            if self.write_protected or self.held_to_replay:
                raise MissingMetadataError(cassette=self, key=key)
            self._metadata[key] = default
            self.dirty = True
        return self._metadata[key]

    def _load(self) -> None:
        try:
            requests, responses, *metadata = self._persister.load_cassette(self._path, serializer=self._serializer)
        except FileNotFoundError:  # a persister's CassetteNotFoundError is one, be it ours or VCR.py's
            return
        except CassetteDecodeError:
            _log.warning("the cassette %s cannot be read, so it is taken for an empty one", self._path, exc_info=True)
            return
        for request, response in zip(requests, responses, strict=False):
            interaction = saving.run(self._after_load_interaction, request, response, self)
            if interaction is not None:
                self.admit(*interaction)
                self._old_interactions.append(interaction)
        self._loaded_count = len(self.data)
        self._metadata = dict(metadata[0]) if metadata and metadata[0] else {}
        self.dirty, self.rewound = False, True

    def _save(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - VCR.py's signature
        with self.lock:
            interactions, needed = saving.kept(self)
            if force or needed:
                self._persist(interactions)
                self.dirty = False

    def _persist(self, interactions: list[tuple[Any, Any]]) -> None:
        secrets = {id(request): found for request, found in self._secrets}
        held = [secrets.get(id(request)) for request, _ in interactions]
        if self._before_save_interaction:
            copies = ((copy.deepcopy(request), copy.deepcopy(response)) for request, response in interactions)
            left = [saving.run(self._before_save_interaction, *pair, self) for pair in copies]
            held = [found for found, pair in zip(held, left, strict=True) if pair is not None]
            interactions = [pair for pair in left if pair is not None]
        clean = [pair if found is None else found.out_of(*pair) for found, pair in zip(held, interactions, strict=True)]
        document = {"requests": [request for request, _ in clean], "responses": [response for _, response in clean]}
        if self._metadata:
            document["metadata"] = self._metadata  # type: ignore[assignment]
        self._persister.save_cassette(self._path, document, serializer=self._serializer)
