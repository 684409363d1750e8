"""`python -m tests.conformance.tcp_proxy PORT HOST PORT [CERTIFICATE KEY]`: a cable on loopback that a test can pull.

A test pulls it by stopping the process. With a certificate and its key (files) the cable's near end speaks TLS.
"""

import asyncio
import ssl
import sys
from contextlib import suppress


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def speak_tls(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


async def main(port: str, host: str, target: str, *certificate: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection(host, int(target))
        await asyncio.gather(pump(reader, to_server[1]), pump(to_server[0], writer))

    context = speak_tls(*certificate) if certificate else None
    server = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
