"""A program that asks Bedrock with boto3."""

import json
import os

import boto3

CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"


def client():
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=os.environ["WIRE_URL"],
        region_name="eu-west-1",
        aws_access_key_id="loopback",
        aws_secret_access_key="loopback-key",
    )


def messages(prompt):
    return {"modelId": "eu.amazon.nova-micro-v1:0", "messages": [{"role": "user", "content": [{"text": prompt}]}]}


def body(prompt):
    fields = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100}
    return json.dumps({**fields, "messages": [{"role": "user", "content": prompt}]})


def converse(prompt):
    return client().converse(**messages(prompt))["output"]["message"]["content"]


def converse_stream(prompt):
    return list(client().converse_stream(**messages(prompt))["stream"])


def invoke(prompt):
    return json.load(client().invoke_model(modelId=CLAUDE, body=body(prompt))["body"])["content"]


def invoke_stream(prompt):
    stream = client().invoke_model_with_response_stream(modelId=CLAUDE, body=body(prompt))["body"]
    return [json.loads(event["chunk"]["bytes"]) for event in stream]


FORMS = {
    "converse": {"sync": converse, "stream": converse_stream},
    "invoke model": {"sync": invoke, "stream": invoke_stream},
}
