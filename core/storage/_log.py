"""The logger of this library, ``core.storage``. The application chooses its handlers."""

import logging

logger = logging.getLogger("core.storage")
logger.addHandler(logging.NullHandler())
