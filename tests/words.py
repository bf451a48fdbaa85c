"""Find words that the style guide of this project rules out: `make words`.

Only words are listed that are almost always wrong here, in prose, messages, comments, docstrings and names.
Each has the words to use instead. The review finds what needs judgement.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: A regular expression for each word, and what to say instead. A word ends where its letters end: the parts of
#: `name_with_a_word` are found too. Case does not matter, except where a pattern says so with `(?-i:...)`.
WORDS = {
    r"some(body|one)|any(body|one)|every(body|one)|nobody|no[ _]one|who(so)?ever": (
        "user, caller, process, server, or the name of the function"
    ),
    r"strangers?": "a user, process or server without credentials, or an unknown one",
    r"given[ _]keys?": "externally managed keys",
    r"(?-i:key ids?)": "access key ID",
    r"to[ _]be[ _]had": "available, installed",
    r"moments?": "time, timestamp, or the number of seconds",
    r"surprises?|surprised": "unexpected result, failed access check",
    r"hints?|hinted": "to mask (an access key), suggestion (for a misspelt word)",
    r"answer(s|ed|ing)?": "response, to respond (HTTP); reply, input, to confirm (a user)",
    r"mend(s|ed|ing)?|heal(s|ed|ing)?": "to repair",
    r"unasked": "without asking, without confirmation",
    r"(is|are|was|were)[ _]told": "gets, receives, reads",
    r"for[ _]ever": "without end, indefinitely",
    r"anew": "again, new",
    r"amid": "during, within",
    r"in[ _]vain": "without success",
    r"shall": "must",
    r"dies|died|dying": "ends, expires, is killed",
    r"whole or not there|half there|half[-_ ]written": "atomic, partial",
    r"falls?[ _]silent|fell[ _]silent|trickles?|trickled": "sends no bytes, sends slowly",
}

#: Where a listed word is a term: a name in a protocol, a user of the system, a published field.
TERMS = re.compile(
    r"Early Hints|type_hints|/a/answer/"  # HTTP status 103; `typing`; an address in a message of Google's
    r"|[\"']nobody[\"']"  # the user without privileges of Unix
    r"|[\"']surprise[\"']"  # a field of `check --json`, kept for programs that read it
)

#: The files that name the words in order to rule them out.
EXCEPT = ("tests/words.py", "tests/test_words.py")
_TEXT = {".css", ".html", ".js", ".md", ".py", ".pyi", ".sh", ".sql", ".toml", ".ts", ".txt", ".yaml", ".yml", ""}
_NOT_OURS = ("LICENSE", "requirements/")  # a text of others, and generated pins

_PATTERN = re.compile(
    "|".join(f"(?P<w{number}>(?<![A-Za-z])(?:{word})(?![A-Za-z]))" for number, word in enumerate(WORDS)),
    re.IGNORECASE,
)
_INSTEAD = dict(zip((f"w{number}" for number in range(len(WORDS))), WORDS.values(), strict=True))


@dataclass(frozen=True)
class Finding:
    """A listed word in a line of a file."""

    file: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        """Return the line that `make words` prints."""
        return f"{self.file}:{self.line}: {self.word!r}: say {self.instead}"


def findings(file: str, text: str) -> Iterator[Finding]:
    """Yield each listed word in a text, in order."""
    for number, line in enumerate(text.splitlines(), 1):
        for match in _PATTERN.finditer(TERMS.sub("", line)):
            yield Finding(file, number, match[0], _INSTEAD[str(match.lastgroup)])


def files() -> Iterator[str]:
    """Yield the text files of this clone, also those that are not committed yet.

    Raises:
        subprocess.CalledProcessError: this is no clone.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(names.split("\0")):
        file = ROOT / name
        if file.suffix in _TEXT and name not in EXCEPT and not name.startswith(_NOT_OURS) and file.is_file():
            yield name


def main() -> int:
    """Print each listed word with its file and line. Return 1 if there is any."""
    found = [finding for name in files() for finding in findings(name, (ROOT / name).read_text(encoding="utf-8"))]
    for finding in found:
        print(finding)  # noqa: T201  # the output of the command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
