"""tuspy as a program: sends files and prints one URL a line.

Where it uploads to is kept in a file, so that a later run goes on where this one ends.
"""

import argparse
import asyncio

from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--urls", help="the file that keeps URLs")
    parser.add_argument("--name", help="the file name to announce; none when left out")
    parser.add_argument("--chunk-size", type=int, default=400_000)
    parser.add_argument("--stop-at", type=int, help="the offset to end at")
    parser.add_argument("--checksum", action="store_true")
    return parser.parse_args()


def uploader_options(arguments):
    options = {
        "chunk_size": arguments.chunk_size,
        "upload_checksum": arguments.checksum,
        "retries": 100,
        "retry_delay": 0.15,
    }
    if arguments.name:
        options["metadata"] = {"filename": arguments.name}
    if arguments.urls:
        options["store_url"] = True
        options["url_storage"] = FileStorage(arguments.urls)
    return options


async def send_at_once(uploaders):
    await asyncio.gather(*(uploader.upload() for uploader in uploaders))


def main():
    arguments = parse_arguments()
    client = TusClient(arguments.endpoint)
    options = uploader_options(arguments)
    if len(arguments.files) == 1:
        uploaders = [client.uploader(arguments.files[0], **options)]
        print("from", uploaders[0].offset)
        uploaders[0].upload(stop_at=arguments.stop_at)
    else:
        uploaders = [client.async_uploader(path, **options) for path in arguments.files]
        asyncio.run(send_at_once(uploaders))
    for uploader in uploaders:
        print("sent to", uploader.url)


main()
