"""The echo server against which the exchange is measured: a usual FastAPI endpoint that decodes and answers.

uvicorn with ``websockets-sansio``, uvloop, msgspec; ``receive_text`` and ``send_text`` in a loop.
"""

import asyncio
import socket

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode

app = FastAPI()


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    """Answers each request with its own parameters."""
    await websocket.accept()
    try:
        while True:
            message = decode(await websocket.receive_text())
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": message["params"]}
            await websocket.send_text(encode(answer).decode())
    except WebSocketDisconnect:
        return


def main() -> None:
    """Serve until the process is ended; the first line of standard output has the URL."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"READY echo http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app, ws="websockets-sansio", http="httptools", ws_per_message_deflate=False, access_log=False, log_config=None
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
