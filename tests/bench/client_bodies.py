"""Capture the bodies that client packages really send, as fixtures of the reader's tests.

The packages are no dependency of ours; an environment of its own has them:

    python -m venv ENV && ENV/bin/pip install openai anthropic ollama litellm
    ENV/bin/python -m tests.bench.client_bodies

Every case calls a client against a server on the loopback interface that keeps the body and
answers with a canned reply. tests/router/request/bodies/CASE.json has the packages' versions, the
body, and what is to be read of it. Last written with openai 3.57.0, anthropic 2.14.0,
ollama 0.6.3 and litellm 1.110.2.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "router" / "request" / "bodies"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = "Say what the weather is like."
CALL = {"city": "Bern"}
QUESTION = "Which coat do I need in Bern today?"


# -- files that are small and real
def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + b"\xff" * (3 * width) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wav(seconds: float) -> bytes:
    data = b"\0\0" * int(8000 * seconds)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    inner = (
        b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    )
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def pdf(pages: int) -> bytes:
    kids = " ".join(f"{3 + i} 0 R" for i in range(pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>")
    objects += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] >>"] * pages
    lines = [f"{i} 0 obj\n{text}\nendobj" for i, text in enumerate(objects, 1)]
    return ("%PDF-1.4\n" + "\n".join(lines) + "\ntrailer << /Root 1 0 R >>\n%%EOF\n").encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG, WAV, PDF = b64(png(40, 30)), b64(wav(0.1)), b64(pdf(2))

# -- canned replies, by the end of the path
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
REPLIES: dict[str, Any] = {
    "/chat/completions": {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "usage": USAGE,
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": json.dumps(CALL)},
                        }
                    ],
                },
            }
        ],
    },
    "/responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "The weather decides."}],
            },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "weather",
                "arguments": json.dumps(CALL),
                "status": "completed",
            },
        ],
    },
    "/messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 9},
        "content": [
            {"type": "thinking", "thinking": "The weather decides.", "signature": "c2ln"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": CALL},
        ],
    },
    "/api/chat": {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "done": True,
        "message": {
            "role": "assistant",
            "content": "",
            "thinking": "The weather decides.",
            "tool_calls": [{"function": {"name": "weather", "arguments": CALL}}],
        },
    },
    "/api/generate": {"model": "m", "response": "A raincoat.", "done": True},
}

# -- the cases
Case = Callable[[str], None]  # takes the server's address
CASES: dict[str, tuple[Case, dict[str, Any]]] = {}


def case(name: str, **expected: Any) -> Callable[[Case], Case]:  # noqa: ANN401
    """What is to be read of the case's last body; `roles` and `wire` always."""

    def add(function: Case) -> Case:
        CASES[name] = (function, expected)
        return function

    return add


def chat_tool() -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": "weather", "description": WEATHER, "parameters": SCHEMA},
    }


def openai(base: str) -> Any:  # noqa: ANN401
    import openai as package

    return package.OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0)


def claude(base: str) -> Any:  # noqa: ANN401
    import anthropic as package

    return package.Anthropic(base_url=base, api_key="none", max_retries=0)


def ollama(base: str) -> Any:  # noqa: ANN401
    import ollama as package

    return package.Client(host=base)


def user(*content: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    return [{"role": "user", "content": content[0] if len(content) == 1 else list(content)}]


def model_of(name: str) -> type:
    from pydantic import create_model

    return create_model(name, garment=(str, ...), warm=(bool, ...))


def text(words: str = QUESTION, kind: str = "text") -> dict[str, str]:
    return {"type": kind, "text": words}


@case("openai-chat", wire="chat", roles=["system", "user"], max_output_tokens=50, n=2)
def _(base: str) -> None:
    openai(base).chat.completions.create(
        model="gpt-5", max_completion_tokens=50, n=2, seed=1, stop=["END"], user="u",
        messages=[{"role": "developer", "content": "Be brief."}, *user(QUESTION)],
    )  # fmt: skip


@case("openai-chat-stream", wire="chat", roles=["user"], thinking={"effort": "high"})
def _(base: str) -> None:
    openai(base).chat.completions.create(
        model="gpt-5", messages=user(QUESTION), reasoning_effort="high", verbosity="low",
        stream=True, stream_options={"include_usage": True},
    )  # fmt: skip


@case("openai-chat-tools", wire="chat", roles=["user", "assistant", "tool"], calls=["weather"],
      results=1, tools=1)  # fmt: skip
def _(base: str) -> None:
    client, messages = openai(base), user(QUESTION)
    settings = {"model": "gpt-5", "tools": [chat_tool()], "parallel_tool_calls": False}
    answer = client.chat.completions.create(messages=messages, **settings)
    messages += [answer.choices[0].message]
    messages += [{"role": "tool", "tool_call_id": "call_1", "content": "4 degrees, rain"}]
    client.chat.completions.create(messages=messages, **settings)


@case("openai-chat-image", wire="chat", roles=["user"],
      media=[["image", 40, 30], ["image", None, None]])  # fmt: skip
def _(base: str) -> None:
    data, address = f"data:image/png;base64,{PNG}", "https://example.com/coat.jpg"
    images = [{"url": data, "detail": "low"}, {"url": address}]
    parts = [{"type": "image_url", "image_url": image} for image in images]
    openai(base).chat.completions.create(model="gpt-5", messages=user(text(), *parts))


@case("openai-chat-pdf", wire="chat", roles=["user"], media=[["document", 2]])
def _(base: str) -> None:
    file = {"filename": "coats.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    part = {"type": "file", "file": file}
    openai(base).chat.completions.create(model="gpt-5", messages=user(text(), part))


@case("openai-chat-audio", wire="chat", roles=["user"], media=[["audio", 0.1]])
def _(base: str) -> None:
    part = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
    openai(base).chat.completions.create(
        model="gpt-audio", messages=user(text(), part), modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "mp3"},
    )  # fmt: skip


@case("openai-chat-parse", wire="chat", roles=["user"], json=True, schema=True)
def _(base: str) -> None:
    openai(base).chat.completions.parse(
        model="gpt-5", messages=user(QUESTION), response_format=model_of("Coat")
    )


@case("openai-chat-functions", wire="chat", roles=["user"], tools=1)
def _(base: str) -> None:
    functions = [{"name": "weather", "parameters": SCHEMA}]
    openai(base).chat.completions.create(
        model="gpt-4", messages=user(QUESTION), functions=functions, function_call="auto"
    )


@case("openai-responses", wire="responses", roles=["system", "user"], max_output_tokens=64)
def _(base: str) -> None:
    openai(base).responses.create(
        model="gpt-5", input=QUESTION, instructions="Be brief.", max_output_tokens=64
    )


@case("openai-responses-tools", wire="responses", roles=["user", "assistant", "tool"], tools=2,
      calls=["weather"], results=1, thinks=True, thinking={"effort": "low"})  # fmt: skip
def _(base: str) -> None:
    client, items = openai(base), user(QUESTION)
    tool = {"type": "function", "name": "weather", "description": WEATHER, "parameters": SCHEMA}
    settings = {
        "model": "gpt-5",
        "tools": [tool, {"type": "web_search"}],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    items += client.responses.create(input=items, **settings).output
    items += [{"type": "function_call_output", "call_id": "call_1", "output": "4 degrees, rain"}]
    client.responses.create(input=items, **settings)


@case("openai-responses-files", wire="responses", roles=["user"],
      media=[["image", 40, 30], ["document", 2]])  # fmt: skip
def _(base: str) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"}
    file = {
        "type": "input_file",
        "filename": "coats.pdf",
        "file_data": f"data:application/pdf;base64,{PDF}",
    }
    openai(base).responses.create(model="gpt-5", input=user(text(kind="input_text"), image, file))


@case("openai-responses-parse", wire="responses", roles=["user"], json=True, schema=True)
def _(base: str) -> None:
    openai(base).responses.parse(model="gpt-5", input=QUESTION, text_format=model_of("Coat"))


@case("openai-responses-continued", wire="responses", roles=["user"], warnings=1)
def _(base: str) -> None:
    openai(base).responses.create(
        model="gpt-5", input="And tomorrow?", previous_response_id="resp_1", stream=True
    )


@case("anthropic", wire="messages", roles=["system", "user"], max_output_tokens=100)
def _(base: str) -> None:
    claude(base).messages.create(
        model="claude-opus-4-5", max_tokens=100, system="Be brief.", messages=user(QUESTION),
        stop_sequences=["END"],
    )  # fmt: skip


@case("anthropic-stream", wire="messages", roles=["system", "user"], max_output_tokens=100)
def _(base: str) -> None:
    block = {**text("Be brief."), "cache_control": {"type": "ephemeral"}}
    with claude(base).messages.stream(
        model="claude-opus-4-5", max_tokens=100, system=[block], messages=user(QUESTION)
    ) as stream:
        stream.get_final_message()


@case("anthropic-tools", wire="messages", roles=["user", "assistant", "user"], tools=1, thinks=True,
      calls=["weather"], results=1, media=[["image", 40, 30]], max_output_tokens=2000,
      thinking={"tokens": 1024})  # fmt: skip
def _(base: str) -> None:
    client, messages = claude(base), user(QUESTION)
    tool = {"name": "weather", "description": WEATHER, "input_schema": SCHEMA}
    settings = {
        "model": "claude-opus-4-5",
        "max_tokens": 2000,
        "tools": [tool],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    answer = client.messages.create(messages=messages, **settings)
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [text("The sky now:"), {"type": "image", "source": source}],
    }
    messages += [{"role": "assistant", "content": answer.content}]
    messages += [{"role": "user", "content": [result]}]
    client.messages.create(messages=messages, **settings)


@case("anthropic-files", wire="messages", roles=["user"], max_output_tokens=100,
      media=[["image", 40, 30], ["document", 2], ["document", None]])  # fmt: skip
def _(base: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    paper = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    words = {"type": "text", "media_type": "text/plain", "data": "Coats: one is red."}
    blocks = [
        {"type": "image", "source": source},
        {"type": "document", "source": paper},
        {"type": "document", "source": words},
    ]
    claude(base).messages.create(
        model="claude-opus-4-5", max_tokens=100, messages=user(*blocks, text())
    )


@case("anthropic-parse", wire="messages", roles=["user"], json=True, schema=True,
      max_output_tokens=100, thinking={"effort": "medium"})  # fmt: skip
def _(base: str) -> None:
    claude(base).messages.parse(
        model="claude-opus-4-5", max_tokens=100, messages=user(QUESTION),
        output_config={"effort": "medium"}, output_format=model_of("Coat"),
    )  # fmt: skip


@case("ollama-chat", wire="ollama", roles=["system", "user"], max_output_tokens=30, json=True,
      schema=True)  # fmt: skip
def _(base: str) -> None:
    ollama(base).chat(
        model="qwen3", format=SCHEMA, options={"num_predict": 30, "temperature": 0},
        keep_alive="5m", messages=[{"role": "system", "content": "Be brief."}, *user(QUESTION)],
    )  # fmt: skip


@case("ollama-tools", wire="ollama", roles=["user", "assistant", "tool"], calls=["weather"],
      results=1, tools=1, thinks=True, thinking={})  # fmt: skip
def _(base: str) -> None:
    def weather(city: str) -> str:
        """Say what the weather is like.

        Args:
            city: where.
        """
        return city

    client, messages = ollama(base), user(QUESTION)
    answer = client.chat(model="qwen3", messages=messages, tools=[weather], think=True)
    messages += [answer.message]
    messages += [{"role": "tool", "tool_name": "weather", "content": "4 degrees, rain"}]
    client.chat(model="qwen3", messages=messages, tools=[weather], think=True)


@case("ollama-images", wire="ollama", roles=["user"], media=[["image", 40, 30]])
def _(base: str) -> None:
    message = {"role": "user", "content": QUESTION, "images": [png(40, 30)]}
    ollama(base).chat(model="gemma3", messages=[message])


@case("ollama-generate", wire="ollama", roles=["system", "user"], media=[["image", 40, 30]],
      json=True)  # fmt: skip
def _(base: str) -> None:
    ollama(base).generate(
        model="gemma3", prompt=QUESTION, system="Be brief.", images=[png(40, 30)], format="json"
    )


def litellm(base: str, model: str, **body: Any) -> None:  # noqa: ANN401
    import litellm as package

    package.completion(model=model, api_base=base, api_key="none", max_retries=0, **body)


@case("litellm-openai", wire="chat", roles=["user"], tools=1, media=[["image", 40, 30]])
def _(base: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    litellm(f"{base}/v1", "openai/gpt-4o", messages=user(text(), image), tools=[chat_tool()])


@case("litellm-anthropic", wire="messages", roles=["system", "user", "assistant", "user"], tools=1,
      calls=["weather"], results=1, media=[["image", 40, 30], ["document", 2]],
      max_output_tokens=3000, thinking={"tokens": 1024})  # fmt: skip
def _(base: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    file = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}
    call = REPLIES["/chat/completions"]["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees, rain"}
    system = {"role": "system", "content": "Be brief."}
    litellm(
        base, "anthropic/claude-sonnet-4-20250514", max_tokens=3000, tools=[chat_tool()],
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[system, *user(text(), image, file), call, result],
    )  # fmt: skip


@case("litellm-ollama", wire="ollama", roles=["user"], media=[["image", 40, 30]], json=True,
      max_output_tokens=30)  # fmt: skip
def _(base: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    litellm(
        base, "ollama_chat/gemma3", messages=user(text(), image), max_tokens=30,
        response_format={"type": "json_object"},
    )  # fmt: skip


@case("litellm-responses", wire="responses", roles=["system", "user"], thinking={"effort": "low"},
      max_output_tokens=64)  # fmt: skip
def _(base: str) -> None:
    import litellm as package

    package.responses(
        model="openai/gpt-5", input=user(text(kind="input_text")), instructions="Be brief.",
        reasoning={"effort": "low"}, max_output_tokens=64, api_base=f"{base}/v1", api_key="none",
    )  # fmt: skip


# -- the server
class Handler(BaseHTTPRequestHandler):
    """Keeps every body, answers what the path asks for."""

    seen: list[tuple[str, Any]] = []  # noqa: RUF012  one server, one list

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.partition("?")[0]
        with contextlib.suppress(ValueError):
            self.seen.append((path, json.loads(data)))
        reply = json.dumps(next((r for end, r in REPLIES.items() if path.endswith(end)), {}))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply.encode())

    def log_message(self, *_: object) -> None: ...


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    packages = ("openai", "anthropic", "ollama", "litellm")
    versions = {name: version(name) for name in packages}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    FOLDER.mkdir(exist_ok=True)
    for name, (call, expected) in CASES.items():
        Handler.seen.clear()
        try:
            call(base)
        except Exception as err:  # the canned reply fits no stream and no schema; the body is there
            print(f"{name}: {type(err).__name__}: {str(err)[:80]}")
        path, body = Handler.seen[-1]
        client = name.partition("-")[0]
        kept = {"client": f"{client} {versions[client]}", "path": path, "expected": expected}
        (FOLDER / f"{name}.json").write_text(json.dumps(kept | {"body": body}, indent=1) + "\n")
    server.shutdown()
    print(f"{len(CASES)} bodies in {FOLDER}")


if __name__ == "__main__":
    main()
