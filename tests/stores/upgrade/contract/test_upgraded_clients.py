from __future__ import annotations

import pytest

from stores.contract.test_store_clients import *  # noqa: F403

pytestmark = pytest.mark.slow
