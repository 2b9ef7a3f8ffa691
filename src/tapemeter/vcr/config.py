"""The object `VCR`: options that hold for its cassettes, and what is registered with it."""

from __future__ import annotations

import inspect
import os
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from tapemeter.vcr import filtering, matchers
from tapemeter.vcr.cassette import Cassette
from tapemeter.vcr.persisters.filesystem import FilesystemPersister
from tapemeter.vcr.record_mode import RecordMode, validate_record_mode
from tapemeter.vcr.refused import refuse_patches, warn_unknown
from tapemeter.vcr.serializers import jsonserializer, yamlserializer
from tapemeter.vcr.util import auto_decorate, compose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MATCHERS: dict[str, matchers.Matcher] = {
    "method": matchers.method,
    "uri": matchers.uri,
    "url": matchers.uri,
    "scheme": matchers.scheme,
    "host": matchers.host,
    "port": matchers.port,
    "path": matchers.path,
    "query": matchers.query,
    "headers": matchers.headers,
    "raw_body": matchers.raw_body,
    "body": matchers.body,
}
"""The built-in matchers by name."""

OPTIONS = (
    "path_transformer",
    "before_record_request",
    "custom_patches",
    "filter_query_parameters",
    "ignore_hosts",
    "record_mode",
    "ignore_localhost",
    "filter_headers",
    "before_record_response",
    "filter_post_data_parameters",
    "filter_nested_post_data_parameters",
    "match_on",
    "before_record",
    "inject_cassette",
    "serializer",
    "cassette_library_dir",
    "func_path_generator",
    "decode_compressed_response",
    "record_on_exception",
    "drop_unused_requests",
    "filter_sensitive_data",
    "before_save_interaction",
    "after_load_interaction",
    "skip_patchers",
)
"""The options of a `VCR`; each is an attribute of it, and may be given for one cassette as well."""

USE_OPTIONS = (*OPTIONS, "path", "persister", "additional_matchers", "allow_playback_repeats")
"""The options of `use_cassette`."""

_FILTERS = (
    "filter_headers",
    "filter_query_parameters",
    "filter_post_data_parameters",
    "filter_nested_post_data_parameters",
    "ignore_hosts",
    "ignore_localhost",
    "before_record_request",
    "before_record_response",
    "decode_compressed_response",
)


class VCR:
    """Makes cassettes by the options it is given; an option given to `use_cassette` goes before.

    Options may be changed, and serializers, matchers and a persister registered, until a cassette is used.
    """

    def __init__(  # noqa: PLR0917 - VCR.py's signature
        self,
        path_transformer: Callable[[Any], Any] | None = None,
        before_record_request: Any = None,
        custom_patches: Any = (),
        filter_query_parameters: Any = (),
        ignore_hosts: Any = (),
        record_mode: Any = RecordMode.ONCE,
        ignore_localhost: bool = False,  # noqa: FBT001, FBT002 - as above
        filter_headers: Any = (),
        before_record_response: Any = None,
        filter_post_data_parameters: Any = (),
        filter_nested_post_data_parameters: bool = False,  # noqa: FBT001, FBT002 - as above
        match_on: Iterable[str] = ("method", "scheme", "host", "port", "path", "query"),
        before_record: Any = None,
        inject_cassette: bool = False,  # noqa: FBT001, FBT002 - as above
        serializer: str = "yaml",
        cassette_library_dir: Any = None,
        func_path_generator: Callable[[Any], Any] | None = None,
        decode_compressed_response: bool = False,  # noqa: FBT001, FBT002 - as above
        record_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
        drop_unused_requests: bool = False,  # noqa: FBT001, FBT002 - as above
        filter_sensitive_data: Any = (),
        before_save_interaction: Any = None,
        after_load_interaction: Any = None,
        skip_patchers: Any = (),
    ) -> None:
        refuse_patches(custom_patches, skip_patchers)
        self.path_transformer = path_transformer
        self.before_record_request = before_record_request or before_record
        self.filter_query_parameters = filter_query_parameters
        self.ignore_hosts = ignore_hosts
        self.record_mode = validate_record_mode(record_mode)
        self.ignore_localhost = ignore_localhost
        self.filter_headers = filter_headers
        self.before_record_response = before_record_response
        self.filter_post_data_parameters = filter_post_data_parameters
        self.filter_nested_post_data_parameters = filter_nested_post_data_parameters
        self.match_on = match_on
        self.inject_cassette = inject_cassette
        self.serializer = serializer
        self.cassette_library_dir = cassette_library_dir
        self.func_path_generator = func_path_generator
        self.decode_compressed_response = decode_compressed_response
        self.record_on_exception = record_on_exception
        self.drop_unused_requests = drop_unused_requests
        self.filter_sensitive_data = filter_sensitive_data
        self.before_save_interaction = before_save_interaction
        self.after_load_interaction = after_load_interaction
        self.custom_patches = custom_patches
        self.skip_patchers = skip_patchers
        self.serializers: dict[str, Any] = {"yaml": yamlserializer, "json": jsonserializer}
        self.matchers: dict[str, matchers.Matcher] = dict(MATCHERS)
        self.persister: Any = FilesystemPersister

    def register_serializer(self, name: str, serializer: Any) -> None:
        """Have a name stand for a serializer: `serialize(dict) -> str` and `deserialize(str) -> dict`."""
        self.serializers[name] = serializer

    def register_matcher(self, name: str, matcher: matchers.Matcher) -> None:
        """Have a name stand for a matcher of two requests, which returns False or raises AssertionError."""
        self.matchers[name] = matcher

    def register_persister(self, persister: Any) -> None:
        """Keep cassettes elsewhere: `load_cassette(path, serializer)`, `save_cassette(path, dict, serializer)`."""
        self.persister = persister

    def use_cassette(self, path: Any = None, **options: Any) -> Any:
        """Return what uses a cassette, as a context manager or a decorator; or decorate a function at once."""
        warn_unknown(options, (*USE_OPTIONS, "with_current_defaults"))
        if path is not None and not isinstance(path, str | os.PathLike):
            return self._use(**options)(path)
        return self._use(path=path, **options)

    def _use(self, *, with_current_defaults: bool = False, **options: Any) -> Any:
        if with_current_defaults:
            return Cassette.use(**self.get_merged_config(**options))
        return Cassette.use_arg_getter(partial(self.get_merged_config, **options))

    def get_merged_config(self, **options: Any) -> dict[str, Any]:
        """Return the arguments of a cassette: these options, and for the others what holds for all."""

        def option(name: str) -> Any:
            return options.get(name, getattr(self, name))

        refuse_patches(option("custom_patches"), option("skip_patchers"))
        filters = {name: option(name) for name in _FILTERS}
        filters["before_record_request"] = options.get(
            "before_record_request", options.get("before_record", self.before_record_request)
        )
        path_transformer, generator = option("path_transformer"), option("func_path_generator")
        library = option("cassette_library_dir")
        if library:
            path_transformer = compose(partial(_below, os.fspath(library)), path_transformer)
        elif not generator:
            generator = self._build_path_from_func_using_module
        names = (*option("match_on"), *options.get("additional_matchers", ()))
        merged = {
            "serializer": self._registered("serializer", self.serializers, option("serializer")),
            "persister": option("persister"),
            "match_on": [self._registered("matcher", self.matchers, name) for name in names],
            "record_mode": validate_record_mode(option("record_mode")),
            "before_record_request": filtering.of_requests(filters),
            "before_record_response": filtering.of_responses(filters),
            "inject": option("inject_cassette"),
            "path_transformer": path_transformer,
            "func_path_generator": generator,
            "allow_playback_repeats": options.get("allow_playback_repeats", False),
            "record_on_exception": option("record_on_exception"),
            "drop_unused_requests": option("drop_unused_requests"),
            "filter_sensitive_data": option("filter_sensitive_data"),
            "before_save_interaction": option("before_save_interaction"),
            "after_load_interaction": option("after_load_interaction"),
        }
        path = options.get("path")
        return {**merged, "path": path} if path else merged

    def test_case(self, predicate: Callable[[str, Any], bool] | None = None) -> type:
        """Return a base class whose subclasses use a cassette in each of their test methods."""
        metaclass = auto_decorate(self.use_cassette, predicate or self.is_test_method)
        return metaclass("temporary_class", (), {})

    @staticmethod
    def is_test_method(method_name: str, function: Any) -> bool:
        """Say whether an attribute of a class is a test."""
        return method_name.startswith("test") and isinstance(function, FunctionType)

    @staticmethod
    def ensure_suffix(suffix: str) -> Callable[[Any], str]:
        """Return a path transformer that adds a suffix to paths without it."""

        def ensure(path: Any) -> str:
            text = str(os.fspath(path))
            return text if text.endswith(suffix) else text + suffix

        return ensure

    @staticmethod
    def _registered(kind: str, registered: dict[str, Any], name: str) -> Any:
        if name not in registered:
            raise KeyError(f"{kind.capitalize()} {name} doesn't exist or isn't registered")
        return registered[name]

    @staticmethod
    def _build_path_from_func_using_module(function: Any) -> str:
        return os.path.join(os.path.dirname(inspect.getfile(function)), function.__name__)  # noqa: PTH118, PTH120 - texts, as VCR.py's


def _below(library: str, path: Any) -> str:
    text = str(os.fspath(path))
    return text if text.startswith(library) else os.path.join(library, text)  # noqa: PTH118 - an absolute one stays
