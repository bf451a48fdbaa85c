"""Write the generated parts of the pages again: `make reference`."""

from __future__ import annotations

from docs._generate.regions import PAGES, filled

for page in PAGES:
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
