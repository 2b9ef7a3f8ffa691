"""A program whose agent is one of OpenAI's Agents SDK."""

import os

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(disabled=True)

KINDS = {"agent, chat completions": OpenAIChatCompletionsModel, "agent, Responses": OpenAIResponsesModel}


def agent(kind):
    client = AsyncOpenAI(base_url=os.environ["WIRE_URL"] + "/v1", api_key="loopback-key")
    return Agent(name="helper", model=kind("gpt-5-mini", client))


def forms(kind):
    def run(prompt):
        return Runner.run_sync(agent(kind), prompt).final_output

    async def arun(prompt):
        return (await Runner.run(agent(kind), prompt)).final_output

    async def astream(prompt):
        result = Runner.run_streamed(agent(kind), prompt)
        kinds = [event.type async for event in result.stream_events()]
        return kinds, result.final_output

    return {"sync": run, "async": arun, "async stream": astream}


FORMS = {name: forms(kind) for name, kind in KINDS.items()}
