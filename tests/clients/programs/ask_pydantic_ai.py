"""A program whose agent is one of Pydantic AI."""

import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

KINDS = {"agent, chat completions": OpenAIChatModel, "agent, Responses": OpenAIResponsesModel}


def agent(kind):
    provider = OpenAIProvider(base_url=os.environ["WIRE_URL"] + "/v1", api_key="loopback-key")
    return Agent(kind("gpt-5-mini", provider=provider))


def forms(kind):
    def run(prompt):
        return agent(kind).run_sync(prompt).output

    def stream(prompt):
        return "".join(agent(kind).run_stream_sync(prompt).stream_text(delta=True))

    async def arun(prompt):
        return (await agent(kind).run(prompt)).output

    async def astream(prompt):
        async with agent(kind).run_stream(prompt) as result:
            return "".join([text async for text in result.stream_text(delta=True)])

    return {"sync": run, "async": arun, "stream": stream, "async stream": astream}


FORMS = {name: forms(kind) for name, kind in KINDS.items()}
