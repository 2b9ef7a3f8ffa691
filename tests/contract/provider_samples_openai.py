"""Samples of OpenAI's images, speech, transcriptions and moderations, and of what Mistral adds."""

from __future__ import annotations

from typing import Any

from provider_forms import Sample

from tapemeter.model import Quality, Usage

UNKNOWN = Usage(quality=Quality.UNKNOWN)

IMAGE_USAGE = {
    "input_tokens": 50,
    "output_tokens": 272,
    "total_tokens": 322,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}

IMAGES = Sample(
    path="/v1/images/generations",
    body={"model": "image-small", "prompt": "Föhn over Chur", "n": 1, "size": "1024x1024"},
    prompt=["Föhn over Chur"],
    surroundings=16,
    most=None,
    plain={"created": 1, "data": [{"b64_json": "iVBORw0KGgo="}], "usage": IMAGE_USAGE},
    events=[
        {"type": "image_generation.partial_image", "b64_json": "iVBO", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "iVBORw0KGgo=", "usage": IMAGE_USAGE},
    ],
    chars=0,
    usage=Usage(50, 272),
    answered={"counts": (("images", 1),)},
    partial_chars=False,
)

IMAGES_WITHOUT_TOKENS = Sample(
    path="/v1/images/edits",
    body={"model": "dall-e", "prompt": "Föhn", "n": 2, "image": [b"\x89PNG", b"\x89PNG"], "mask": b"\x89PNG"},
    is_form=True,
    prompt=["Föhn"],
    surroundings=16 + 3 * 20_000,
    most=None,
    plain={"created": 1, "data": [{"url": "https://a", "revised_prompt": "Föhn 🌬"}, {"url": "https://b"}]},
    events=[{"created": 1, "data": [{"url": "https://a", "revised_prompt": "Föhn 🌬"}, {"url": "https://b"}]}],
    chars=len("Föhn 🌬"),
    usage=UNKNOWN,
    answered={"counts": (("images", 2),)},
    partial_chars=False,
)

SPEECH_USAGE = {"input_tokens": 12, "output_tokens": 90, "total_tokens": 102}

SPEECH = Sample(
    path="/v1/audio/speech",
    body={"model": "tts-small", "input": "Grüezi mitenand", "voice": "alloy", "instructions": "Slowly."},
    prompt=["Grüezi mitenand", "Slowly."],
    surroundings=2 * 16,
    most=None,
    plain={"audio_data": "UklGRg==", "usage": SPEECH_USAGE},
    events=[
        {"type": "speech.audio.delta", "audio": "UklGRg=="},
        {"type": "speech.audio.done", "usage": SPEECH_USAGE},
    ],
    chars=0,
    usage=Usage(12, 90),
    partial_chars=False,
)

HEARD = {
    "text": "Sonnig 🌞",
    "usage": {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 45,
        "total_tokens": 59,
    },
}

TRANSCRIPTIONS = Sample(
    path="/v1/audio/transcriptions",
    body={"file": b"RIFF" * 100_000, "model": "hear-small", "prompt": "Wetter", "response_format": "json"},
    is_form=True,
    prompt=["Wetter"],
    surroundings=16 + 25_000,
    most=None,
    plain=HEARD,
    events=[
        {"type": "transcript.text.delta", "delta": "Sonnig "},
        {"type": "transcript.text.delta", "delta": "🌞"},
        {"type": "transcript.text.done", **HEARD},
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(14, 45),
    partial_chars=False,
)

HEARD_BY_MISTRAL = {
    "model": "voxtral-1",
    "text": "Sonnig 🌞",
    "usage": {"prompt_tokens": 14, "completion_tokens": 45, "total_tokens": 59, "prompt_audio_seconds": 3},
}

TRANSCRIPTIONS_OF_MISTRAL = Sample(
    path="/v1/audio/transcriptions",
    body={"model": "voxtral", "file_url": "https://a/b.mp3", "context_bias": ["Föhn", "Chur"]},
    prompt=["Föhn", "Chur"],
    surroundings=2 * 16 + 1_048_576,
    most=None,
    plain=HEARD_BY_MISTRAL,
    events=[
        {"type": "transcription.language", "audio_language": "de"},
        {"type": "transcription.text.delta", "text": "Sonnig "},
        {"type": "transcription.text.delta", "text": "🌞"},
        {"type": "transcription.segment", "text": "Sonnig 🌞", "start": 0, "end": 1},
        {"type": "transcription.done", **HEARD_BY_MISTRAL},
    ],
    chars=len("Sonnig 🌞"),
    usage=Usage(14, 45),
    answered={"model": "voxtral-1", "counts": (("seconds", 3),)},
    partial_chars=False,
)

TRANSLATIONS = Sample(
    path="/v1/audio/translations",
    body={"file": b"RIFF", "model": "whisper"},
    is_form=True,
    prompt=[],
    surroundings=20_000,
    most=None,
    plain={"text": "Sunny 🌞", "usage": {"type": "duration", "seconds": 8}},
    events=[{"type": "transcript.text.done", "text": "Sunny 🌞", "usage": {"type": "duration", "seconds": 8}}],
    chars=len("Sunny 🌞"),
    usage=UNKNOWN,
    answered={"counts": (("seconds", 8),)},
    partial_chars=False,
)

JUDGED: dict[str, Any] = {"id": "modr-7", "model": "moderation-1", "results": [{"flagged": False, "categories": {}}]}

MODERATIONS = Sample(
    path="/v1/moderations",
    body={"model": "moderation", "input": [{"type": "text", "text": "Grüezi"}, {"type": "image_url"}]},
    prompt=["Grüezi"],
    surroundings=-len("Grüezi".encode()),
    most=0,
    plain=JUDGED,
    events=[JUDGED],
    chars=0,
    usage=Usage(),
    answered={"model": "moderation-1", "response_id": "modr-7"},
)

READ = {
    "model": "ocr-1",
    "pages": [{"index": 0, "markdown": "# Föhn"}, {"index": 1, "markdown": "Chur"}],
    "usage_info": {"pages_processed": 2, "doc_size_bytes": 9000},
}

OCR = Sample(
    path="/v1/ocr",
    body={"model": "ocr", "document": {"type": "document_url", "document_url": "https://a"}},
    origin="https://api.mistral.ai",
    provider="mistral_ai",
    prompt=[],
    surroundings=0,
    most=0,
    plain=READ,
    events=[READ],
    chars=len("# Föhn") + len("Chur"),
    usage=UNKNOWN,
    answered={"model": "ocr-1", "counts": (("pages", 2),)},
    partial_chars=False,
)
