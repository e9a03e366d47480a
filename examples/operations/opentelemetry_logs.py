"""Send the audit trail to OpenTelemetry, which prints it here.

python examples/operations/opentelemetry_logs.py
"""

from __future__ import annotations

import logging
import sys

from audit_trail import app
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter

from oauth_mw.audit import flush
from oauth_mw.testing import sandbox

audit = logging.getLogger("oauth_mw.audit")

if __name__ == "__main__":
    provider = LoggerProvider()
    # In production OTLPLogExporter, of opentelemetry-exporter-otlp.
    provider.add_log_record_processor(BatchLogRecordProcessor(ConsoleLogRecordExporter(out=sys.stdout)))
    handler = LoggingHandler(logger_provider=provider)
    audit.addHandler(handler)
    with sandbox(app):
        app.test_client().get("/reports/daily")
    flush()
    provider.shutdown()
    audit.removeHandler(handler)
