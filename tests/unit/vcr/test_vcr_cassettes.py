"""A cassette of VCR.py's kind by itself: what it plays, what it keeps, what it writes, and how it is configured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tapemeter.cassette.tapes import tape as tapes
from tapemeter.errors import CassetteError, UsageError
from tapemeter.vcr import VCR, default_vcr, mode, use_cassette
from tapemeter.vcr.cassette import Cassette, CassetteDecodeError, CassetteNotFoundError
from tapemeter.vcr.config import OPTIONS
from tapemeter.vcr.errors import (
    CannotOverwriteExistingCassetteException,
    MissingMetadataError,
    UnhandledHTTPRequestError,
)
from tapemeter.vcr.persisters.filesystem import FilesystemPersister
from tapemeter.vcr.record_mode import RecordMode, validate_record_mode
from tapemeter.vcr.request import Request
from tapemeter.vcr.serialize import deserialize, serialize
from tapemeter.vcr.serializers import compat, jsonserializer, yamlserializer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def asked(path: str = "/", body: Any = b"", method: str = "GET") -> Request:
    return Request(method, f"http://a.example{path}", body, {"X": "1"})


def answer(text: str | bytes = "answer", status: int = 200) -> dict[str, Any]:
    string = text.encode() if isinstance(text, str) else text
    return {"status": {"code": status, "message": "OK"}, "headers": {"X": ["2"]}, "body": {"string": string}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "tape.yaml"


def written(path: Path, *pairs: tuple[Request, dict[str, Any]], **options: Any) -> Path:
    """Write a cassette with these interactions."""
    cassette = Cassette(path, **options)
    for pair in pairs:
        cassette.append(*pair)
    cassette._save()
    return path


def strings(cassette: Cassette) -> list[bytes]:
    return [response["body"]["string"] for response in cassette.responses]


# Playing


def test_each_interaction_is_played_once_in_recorded_order(path: Path) -> None:
    pairs = [(asked("/a"), answer("1")), (asked("/b"), answer("2")), (asked("/a"), answer("3"))]
    cassette = Cassette.load(path=written(path, *pairs))
    played = [cassette.play_response(asked(each))["body"]["string"] for each in ("/b", "/a", "/a")]
    assert played == [b"2", b"1", b"3"]
    assert (cassette.play_count, dict(cassette.play_counts), cassette.all_played) == (3, {0: 1, 1: 1, 2: 1}, True)
    assert asked("/a") not in cassette
    with pytest.raises(UnhandledHTTPRequestError, match="has no answer"):
        cassette.play_response(asked("/a"))


def test_leftovers_are_legal_and_show(path: Path) -> None:
    cassette = Cassette.load(path=written(path, (asked("/a"), answer()), (asked("/b"), answer())))
    cassette.play_response(asked("/a"))
    assert (len(cassette), cassette.play_count, cassette.all_played) == (2, 1, False)


def test_rewinding_plays_all_again(path: Path) -> None:
    cassette = Cassette.load(path=written(path, (asked(), answer())))
    cassette.play_response(asked())
    cassette.rewind()
    assert cassette.play_count == 0
    assert cassette.can_play_response_for(asked())


def test_repeats_play_the_first_answer_again_and_again(path: Path) -> None:
    given = written(path, (asked(), answer("1")), (asked(), answer("2")))
    cassette = Cassette.load(path=given, allow_playback_repeats=True)
    assert [cassette.play_response(asked())["body"]["string"] for _ in range(3)] == [b"1"] * 3
    assert dict(cassette.play_counts) == {0: 3}


def test_what_a_hook_drops_cannot_be_played(path: Path) -> None:
    cassette = Cassette.load(path=written(path, (asked(), answer())), before_record_request=lambda _: None)
    assert len(cassette) == 0
    assert not cassette.can_play_response_for(asked())
    with pytest.raises(UnhandledHTTPRequestError):
        cassette.play_response(asked())


def test_all_answers_to_a_request_can_be_had_without_playing_them(path: Path) -> None:
    cassette = Cassette.load(path=written(path, (asked(), answer("1")), (asked(), answer("2"))))
    assert [found["body"]["string"] for found in cassette.responses_of(asked())] == [b"1", b"2"]
    assert cassette.play_count == 0
    with pytest.raises(UnhandledHTTPRequestError):
        cassette.responses_of(asked("/other"))


@pytest.mark.parametrize(
    ("record_mode", "exists", "protected", "plays"),
    [
        ("none", False, True, False),
        ("none", True, True, True),
        ("once", False, False, False),
        ("once", True, True, True),
        ("new_episodes", False, False, False),
        ("new_episodes", True, False, True),
        ("any", True, False, True),
        ("all", True, False, False),
    ],
)
def test_a_mode_says_whether_a_cassette_is_played_and_written(
    path: Path,
    record_mode: str,
    exists: bool,
    protected: bool,
    plays: bool,
) -> None:
    if exists:
        written(path, (asked(), answer()))
    cassette = Cassette.load(path=path, record_mode=validate_record_mode(record_mode))
    assert (cassette.rewound, cassette.write_protected) == (exists, protected)
    assert bool(cassette.can_play_response_for(asked())) is plays


# What it holds


def test_hooks_run_on_what_is_loaded_and_may_drop_it(path: Path) -> None:
    def request_hook(found: Request) -> Request | None:
        found.headers["hooked"] = "1"
        return None if found.path == "/gone" else found

    def response_hook(found: dict[str, Any]) -> dict[str, Any] | None:
        return None if found["body"]["string"] == b"gone" else {**found, "hooked": True}

    given = written(path, (asked("/gone"), answer()), (asked(), answer("gone")), (asked(), answer()))
    cassette = Cassette.load(path=given, before_record_request=request_hook, before_record_response=response_hook)
    assert [request.headers["hooked"] for request in cassette.requests] == ["1"]
    assert [response["hooked"] for response in cassette.responses] == [True]
    assert not cassette.dirty


def test_adding_an_interaction_makes_it_dirty_and_keeps_a_copy_of_the_response() -> None:
    cassette, given = Cassette("tape.yaml"), answer("1")
    cassette.append(asked(), given)
    given["body"]["string"] = b"2"
    assert (cassette.dirty, len(cassette), list(cassette)) == (True, 1, cassette.data)
    assert strings(cassette) == [b"1"]
    assert repr(cassette) == "<Cassette containing 1 recorded response(s)>"
    assert cassette.path == cassette._path == "tape.yaml"


def test_the_nearest_requests_are_those_for_which_most_matchers_hold() -> None:
    names = ("method", "path", "body")
    cassette = Cassette("x", match_on=[VCR().matchers[name] for name in names])
    for each in (asked("/a", b"1"), asked("/b", b"2"), asked("/c", b"1", "POST")):
        cassette.append(each, answer())
    nearest = cassette.find_requests_with_most_matches(asked("/b", b"1"))
    assert [(found.path, held, [name for name, _ in failed]) for found, held, failed in nearest] == [
        ("/a", ["method", "body"], ["path"]),
        ("/b", ["method", "path"], ["body"]),
    ]
    assert cassette.find_requests_with_most_matches(asked("/d", b"3", "PUT")) == []


# What it writes


def test_a_cassette_is_written_whole_in_vcrs_own_form_and_folders_are_made(path: Path) -> None:
    written(path, (asked("/ä", "ä"), answer("ö")), (asked(body=b"\xff"), answer(b"\xfe")))
    found = tapes.read(path)
    assert found.form == "VCR.py YAML"
    assert [each.request.body for each in found.interactions] == ["ä".encode(), b"\xff"]
    assert [each.response.body for each in found.interactions] == ["ö".encode(), b"\xfe"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_where_nothing_was_added(path: Path) -> None:
    Cassette.load(path=path)._save()
    assert not path.exists()
    written(path, (asked(), answer()))
    before = path.stat().st_mtime_ns
    Cassette.load(path=path)._save()
    assert path.stat().st_mtime_ns == before
    Cassette.load(path=path)._save(force=True)
    assert len(Cassette.load(path=path)) == 1


def test_recording_anew_takes_the_place_of_what_it_matches(path: Path) -> None:
    written(path, (asked("/a"), answer("old")), (asked("/b"), answer("old")))
    cassette = Cassette.load(path=path, record_mode=RecordMode.ALL)
    cassette.append(asked("/a"), answer("new"))
    cassette._save()
    assert strings(Cassette.load(path=path)) == [b"old", b"new"]
    dropping = Cassette.load(path=path, record_mode=RecordMode.ALL, drop_unused_requests=True)
    dropping.append(asked("/a"), answer("newer"))
    dropping._save()
    assert strings(Cassette.load(path=path)) == [b"newer"]


def test_what_was_not_played_is_dropped_where_that_is_asked_for(path: Path) -> None:
    written(path, (asked("/a"), answer("a")), (asked("/b"), answer("b")))
    cassette = Cassette.load(path=path, record_mode="new_episodes", drop_unused_requests=True)
    cassette.play_response(asked("/b"))
    cassette.append(asked("/c"), answer("c"))
    cassette._save()
    assert strings(Cassette.load(path=path)) == [b"b", b"c"]


def test_hooks_see_what_is_written_and_what_was_read(path: Path) -> None:
    def saving(request: Request, response: Any, cassette: Cassette) -> Any:
        assert cassette.path == path
        return None if request.path == "/gone" else (request, {**response, "headers": {"saved": ["1"]}})

    def loading(request: Request, response: Any) -> Any:
        return request, {**response, "loaded": True}

    written(path, (asked("/gone"), answer()), (asked(), answer()), before_save_interaction=saving)
    [found] = Cassette.load(path=path, after_load_interaction=[loading]).responses
    assert found["headers"] == {"saved": ["1"]}
    assert found["loaded"]
    with pytest.raises(TypeError, match=r"must return \(request, response\) or None, not dict"):
        Cassette.load(path=path, after_load_interaction=lambda _, response: response)


def test_sensitive_data_is_on_no_disk_and_there_again_when_loaded(path: Path) -> None:
    options = {"filter_sensitive_data": {"<TOKEN>": "s3cret"}}
    written(path, (asked("/?token=s3cret", b"s3cret"), answer("s3cret")), **options)
    assert "s3cret" not in path.read_text()
    found = Cassette.load(path=path, **options)
    assert (found.requests[0].uri, strings(found)) == ("http://a.example/?token=s3cret", [b"s3cret"])


def test_metadata_is_kept_beside_the_interactions(path: Path) -> None:
    cassette = Cassette.load(path=path)
    assert cassette.get_metadata("day", 1) == 1
    cassette._save()
    again = Cassette.load(path=path)
    assert again.get_metadata("day", 2) == 1
    with pytest.raises(MissingMetadataError, match="no metadata 'night'"):
        again.get_metadata("night", 2)


# Files


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_in_which_nothing_stands_is_no_cassette(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    assert not Cassette.load(path=path).rewound
    for serializer in (yamlserializer, custom(json.dumps, json.loads)):
        with pytest.raises(CassetteNotFoundError):
            FilesystemPersister.load_cassette(path, serializer)


def test_a_file_that_cannot_be_read_is_an_error_and_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("interactions: [")
    with pytest.raises(CassetteError, match=r"tape\.yaml:2"):
        Cassette.load(path=path)
    assert path.read_text() == "interactions: ["


def custom(dumps: Callable[[Any], str], loads: Callable[[str], Any]) -> Any:
    return type("Custom", (), {"serialize": staticmethod(dumps), "deserialize": staticmethod(loads)})


def test_a_serializer_of_ones_own_gets_and_gives_plain_data(path: Path) -> None:
    seen: list[Any] = []

    def dumps(document: Any) -> str:
        seen.append(document)
        return json.dumps(document)

    serializer = custom(dumps, json.loads)
    written(path, (asked(body="b"), answer("ä")), serializer=serializer)
    [document] = seen
    assert document["version"] == 1
    assert document["interactions"][0]["request"]["headers"] == {"X": ["1"]}
    assert document["interactions"][0]["response"]["body"] == {"string": "ä"}
    assert strings(Cassette.load(path=path, serializer=serializer)) == ["ä".encode()]
    with pytest.raises(CassetteError, match="must return a mapping with a list of `interactions`"):
        Cassette.load(path=path, serializer=custom(json.dumps, lambda _: []))


def test_a_file_that_is_no_text_is_taken_for_an_empty_one_by_a_serializer_of_ones_own(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe\xff")
    serializer = custom(json.dumps, json.loads)
    with pytest.raises(CassetteDecodeError):
        FilesystemPersister.load_cassette(path, serializer)
    assert not Cassette.load(path=path, serializer=serializer).rewound


def test_a_persister_of_ones_own_keeps_cassettes_elsewhere() -> None:
    shelf: dict[Any, Any] = {}

    class Persister:
        @staticmethod
        def load_cassette(cassette_path: Any, serializer: Any) -> Any:
            if cassette_path not in shelf:
                raise CassetteNotFoundError
            return deserialize(shelf[cassette_path], serializer)

        @staticmethod
        def save_cassette(cassette_path: Any, cassette_dict: Any, serializer: Any) -> None:
            shelf[cassette_path] = serialize(cassette_dict, serializer)

    given = VCR()
    given.register_persister(Persister)
    options = given.get_merged_config(path="here")
    cassette = Cassette.load(**{name: options[name] for name in ("path", "persister", "serializer")})
    cassette.append(asked(), answer("kept"))
    cassette._save()
    assert strings(Cassette.load(path="here", persister=Persister)) == [b"kept"]


def test_json_holds_texts_and_says_what_it_cannot_hold() -> None:
    document = {"requests": [asked()], "responses": [answer("ä")], "metadata": {"a": 1}}
    [_, [response], metadata] = deserialize(serialize(document, jsonserializer), jsonserializer)
    assert (response["body"]["string"], metadata) == ("ä".encode(), {"a": 1})
    with pytest.raises(TypeError, match="use the serializer `yaml`"):
        serialize({"requests": [asked()], "responses": [answer(b"\xff")]}, jsonserializer)


def test_yaml_makes_no_objects_of_a_program() -> None:
    with pytest.raises(CassetteError):
        yamlserializer.deserialize("!!python/object/apply:os.getcwd []")
    with pytest.raises(UsageError, match="not supported"):
        yamlserializer.with_custom_tags({"!x": str})


def test_bodies_of_another_shape_are_left_alone() -> None:
    for odd in ("text", {"body": {}}, {"body": None}, {}):
        assert compat.convert_to_bytes(odd) == odd
        assert compat.convert_to_unicode(odd) == odd
    assert compat.convert_to_unicode(b"a") == "a"
    assert compat.convert_to_unicode({"body": b"\xff"}) == {"body": b"\xff"}


# Errors


def error(record_mode: str, *recorded: Request, request: Request, names: Sequence[str] = ("method", "path")) -> Any:
    cassette = Cassette("tape.yaml", record_mode=record_mode, match_on=[VCR().matchers[name] for name in names])
    for each in recorded:
        cassette.append(each, answer())
    cassette.rewound = bool(recorded)
    return CannotOverwriteExistingCassetteException(cassette=cassette, failed_request=request)


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        (error("none", request=asked()), "cassette_not_found", "the cassette does not exist"),
        (error("once", asked(), request=asked()), "already_played", "(1 time) has been played already"),
        (error("once", asked("/a"), asked("/b"), request=asked("/c")), "no_match", "the nearest differ in path"),
        (error("none", asked("/a"), request=asked("/c", method="PUT")), "nothing_similar", "nothing similar"),
    ],
)
def test_an_error_says_why_there_is_no_answer(found: Any, reason: str, says: str) -> None:
    assert found.reason == reason
    assert says in str(found)
    assert "tape.yaml" in str(found)
    assert f"{found.failed_request.method} {found.failed_request.uri}" in str(found)
    assert "to " in str(found).splitlines()[-1] or "if " in str(found).splitlines()[-1]


def test_an_error_shows_bodies_that_are_compared_and_how_they_differ() -> None:
    recorded = [asked(body=f"body {number}", method="PUT") for number in range(5)]
    found = error("none", *recorded, request=asked(body=b"x" * 400, method="PUT"), names=("method", "body"))
    assert "… (400 characters)" in str(found)
    assert "body differs:" in str(found)
    assert "and 2 more" in str(found)
    assert "<1 bytes>" in str(error("none", asked(), request=asked(body=b"\xff"), names=("method", "body")))


# Configuration


def test_a_value_that_is_no_record_mode_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'onec' is not a valid record_mode"):
        VCR(record_mode="onec")
    assert VCR(record_mode="none").record_mode is RecordMode.NONE
    assert mode.ONCE == "once"


@pytest.mark.parametrize(("option", "value"), [("custom_patches", [(1, "x", 2)]), ("skip_patchers", ["urllib3"])])
def test_what_is_not_supported_is_refused_by_name(option: str, value: Any) -> None:
    for refuse in (
        lambda: VCR(**{option: value}),
        lambda: VCR().get_merged_config(**{option: value}),
        lambda: Cassette("x", **{option: value}),
    ):
        with pytest.raises(UsageError, match=f"{option} is not supported"):
            refuse()
    assert VCR(**{option: ()}).get_merged_config()


def test_an_option_that_vcr_has_not_either_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="no option mode"):
        VCR().use_cassette("x", mode="none")


def test_what_is_not_registered_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match="Serializer toml"):
        VCR(serializer="toml").get_merged_config()
    with pytest.raises(KeyError, match="Matcher colour"):
        VCR().get_merged_config(match_on=["colour"])


def test_an_option_of_a_cassette_goes_before_that_of_the_object_which_may_still_be_changed() -> None:
    given = VCR(match_on=["method"], record_mode="none", before_record=lambda found: found)
    given.record_on_exception = False
    given.register_matcher("mine", lambda first, second: first == second)
    found = given.get_merged_config(record_mode="all", additional_matchers=["mine"], path="x")
    assert found["record_mode"] is RecordMode.ALL
    assert [matcher.__name__ for matcher in found["match_on"]] == ["method", "<lambda>"]
    assert (found["record_on_exception"], found["path"]) == (False, "x")
    assert given.get_merged_config()["record_mode"] is RecordMode.NONE
    assert all(hasattr(given, name) for name in OPTIONS if name != "before_record")


def test_a_hook_that_is_set_later_holds_for_what_is_used_later() -> None:
    given = VCR()
    given.before_record_request = lambda _: None
    assert given.get_merged_config()["before_record_request"](asked()) is None
    assert given.get_merged_config(before_record=lambda found: found)["before_record_request"](asked())


def test_paths_are_made_by_library_and_transformer(tmp_path: Path) -> None:
    given = VCR(cassette_library_dir=tmp_path, path_transformer=VCR.ensure_suffix(".yaml"))
    transform = given.get_merged_config()["path_transformer"]
    assert transform("a") == str(tmp_path / "a.yaml")
    assert transform("a.yaml") == str(tmp_path / "a.yaml")
    assert transform(str(tmp_path / "a")) == str(tmp_path / "a.yaml")


def test_there_is_an_object_for_those_who_make_none() -> None:
    assert use_cassette == default_vcr.use_cassette
    assert isinstance(default_vcr, VCR)
