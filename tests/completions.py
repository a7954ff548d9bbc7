"""A chat-completions server on loopback, which speaks the wire format of the OpenAI API and answers by a script."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Answers each request with the next of its answers; the last one again and again.

    An answer is a text, a dict (a call of a tool: name and arguments), an int (an HTTP status), "drop" (the
    connection breaks), "garbage" (no JSON), or "hang" (nothing comes until the server is closed).
    """

    def __init__(self, *answers):
        self.answers = [*answers]
        self.requests = []
        self.asked, self.closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.answer(self, body)

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def close(self):
        self.closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler, body):
        with self._lock:
            self.requests.append((handler.path, handler.headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.asked.set()
        if answer == "hang":
            self.closed.wait(30)
            answer = "drop"
        if answer == "drop":
            linger = struct.pack("ii", 1, 0)  # reset, and no polite end
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
            handler.connection.close()
            handler.wfile = handler.rfile = _Nothing()
        elif isinstance(answer, int):
            self._send(handler, answer, json.dumps({"error": {"message": f"status {answer}", "type": "x"}}))
        elif answer == "garbage":
            self._send(handler, 200, "{no json")
        elif body.get("stream"):
            self._send(handler, 200, _stream(answer), "text/event-stream")
        else:
            self._send(handler, 200, json.dumps(_whole(answer)))

    def _send(self, handler, status, text, kind="application/json"):
        data = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        if status == 429:
            handler.send_header("Retry-After", "0")
        handler.end_headers()
        handler.wfile.write(data)


class _Nothing:
    closed = True

    def flush(self):
        pass

    def close(self):
        pass


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
HEAD = {"id": "c1", "created": 1, "model": "little"}


def _message(answer):
    if isinstance(answer, str):
        return {"role": "assistant", "content": answer}, "stop"
    ((name, args),) = answer.items()
    call = {"id": "t1", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


def _whole(answer):
    message, reason = _message(answer)
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def _stream(answer):
    message, reason = _message(answer)
    if isinstance(answer, str):
        deltas = [{"role": "assistant", "content": ""}, *({"content": f"{word} "} for word in answer.split())]
    else:
        deltas = [{**message, "tool_calls": [{"index": 0, **message["tool_calls"][0]}]}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, {"choices": [], "usage": USAGE}]
    events = [json.dumps({**HEAD, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"])
