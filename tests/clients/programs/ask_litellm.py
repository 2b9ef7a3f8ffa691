"""A program that asks with LiteLLM."""

import os

import litellm

URL = os.environ["WIRE_URL"]
PLACES = {
    "openai": {"model": "openai/gpt-5-mini", "api_base": f"{URL}/v1"},
    "anthropic": {"model": "anthropic/claude-haiku-4-5", "api_base": URL, "max_tokens": 100},
    "gemini": {"model": "gemini/gemini-2.5-flash", "api_base": URL},
}


def said(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def forms(place):
    def asked(prompt, **more):
        return {**place, "api_key": "loopback-key", "messages": [{"role": "user", "content": prompt}], **more}

    def chat(prompt):
        return litellm.completion(**asked(prompt)).choices[0].message.content

    def stream(prompt):
        return said(litellm.completion(**asked(prompt, stream=True)))

    async def achat(prompt):
        return (await litellm.acompletion(**asked(prompt))).choices[0].message.content

    async def astream(prompt):
        return said([chunk async for chunk in await litellm.acompletion(**asked(prompt, stream=True))])

    return {"sync": chat, "async": achat, "stream": stream, "async stream": astream}


FORMS = {f"completion, {name}": forms(place) for name, place in PLACES.items()}
