"""The work of one client process in one run, and the names of the files and objects that it works on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
#: Folder and prefix of the small objects.
MANY = "many/"
#: Uploaded in parts by boto3: its ETag is no hash of the content that another client can compute.
BIG = "big.bin"
#: The same content uploaded by `core.storage`, which stores the part size, so that it can verify the ETag.
HASHED = "hashed.bin"
#: Prefix of the keys to list.
LISTED = "list/"
#: Objects transferred at the same time, by the clients that have a setting for it.
WORKERS = 16
#: Connections of the load generator to the web application.
CONNECTIONS = 32
REGION = "us-east-1"


@dataclass(frozen=True)
class Sizes:
    """How much is transferred and listed."""

    objects: int = 2000
    object_bytes: int = 100_000
    #: Above the multipart threshold of every client.
    big_bytes: int = 512 * MIB
    keys: int = 12_000


#: Sizes of a run that only shows that everything works.
QUICK = Sizes(objects=20, object_bytes=10_000, big_bytes=40 * MIB, keys=1200)


@dataclass(frozen=True)
class Job:
    """The buckets, keys and folders of one run."""

    endpoint: str
    #: Bucket of the objects to download and to list.
    source: str
    #: Bucket that receives uploads.
    uploads: str
    #: Prefix of the uploads of this run, with a slash at its end; there are no objects below it before the run.
    prefix: str
    #: Folder of the files to upload.
    files: str
    #: Folder for the downloads of this run; it holds an empty folder `many` and nothing else.
    target: str
    #: Number of small objects.
    objects: int
    #: Key of the big object to download.
    big: str = BIG
    #: Presigned URLs of the big objects, for clients that do not sign.
    get_url: str = ""
    put_url: str = ""
    #: Whether the client uploads from memory.
    in_memory: bool = False

    def names(self) -> list[str]:
        """Return the keys of the small objects, which are also their paths below `files`."""
        return names(self.objects)

    def contents(self) -> dict[str, bytes]:
        """Return the small objects to upload from memory, by name; none for other work."""
        return {name: self.file(name).read_bytes() for name in self.names()} if self.in_memory else {}

    def file(self, name: str) -> Path:
        return Path(self.files, name)

    def into(self, name: str) -> Path:
        return Path(self.target, name)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        return cls(**json.loads(text))


def digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each content, in hexadecimal."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def names(objects: int) -> list[str]:
    return [f"{MANY}{number:05}.jpg" for number in range(objects)]


#: The work of a client by its name. It returns the number of keys of a listing, or contents in memory by name.
Cases = dict[str, Callable[[Job], object]]
