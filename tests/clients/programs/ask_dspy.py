"""A program that asks with DSPy's own client, which is told where the proxy is."""

import dspy

BASE_URL = ""
"""Where to ask; the tests set it to the proxy."""

dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)


class Ask(dspy.Module):
    def forward(self, prompt):
        return dspy.Prediction(said=dspy.settings.lm(prompt))


def said(answers):
    return [answer if isinstance(answer, str) else answer["text"] for answer in answers]


def forms(kind):
    def model():
        return dspy.LM(
            "openai/gpt-5-mini",
            model_type=kind,
            temperature=None,
            max_tokens=None,
            api_base=BASE_URL,
            api_key="loopback-key",
            cache=False,
            engine="lm15",
        )

    def ask(prompt):
        return said(model()(prompt))

    async def aask(prompt):
        return said(await model().acall(prompt))

    async def astream(prompt):
        with dspy.context(lm=model()):
            pieces = [piece async for piece in dspy.streamify(Ask())(prompt=prompt)]
        return len(pieces), said(pieces[-1].said)

    return {"sync": ask, "async": aask, "async stream": astream}


FORMS = {"chat completions": forms("chat"), "Responses": forms("responses")}
