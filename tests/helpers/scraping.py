"""What a scrape of the metrics shows."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from webtest import TestApp

Samples = dict[tuple[str, ...], float]


def samples(text: str) -> Samples:
    """The value of each sample, by its name and the values of its labels in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(app: TestApp, **headers: Any) -> Samples:
    """What an app serves to a scraper."""
    return samples(app.get("/metrics", headers=headers).text)
