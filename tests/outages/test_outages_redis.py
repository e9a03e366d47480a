"""What can happen to a Redis store alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from faults import on_servers
from service import DONE

pytestmark = pytest.mark.parametrize("engine", on_servers("redis"))


def test_requests_under_way_do_not_mind_that_somebody_lets_go_of_the_connections(service):
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.ask, "introspect") for _ in range(20)]
        while not all(each.done() for each in asked):
            service.store.close()

    assert {each.result() for each in asked} == {DONE}
