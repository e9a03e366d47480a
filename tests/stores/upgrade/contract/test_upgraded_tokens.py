from __future__ import annotations

import pytest

from stores.contract.test_store_tokens import *  # noqa: F403

pytestmark = pytest.mark.slow
