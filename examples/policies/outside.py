"""An outside scheduler: it is asked by HTTP what follows, checks who asks, and answers. Here: never a third try.

ROTA_POLICY_URLS="triage=http://127.0.0.1:8099/" ROTA_POLICY_SECRETS="triage=$SECRET" rota server --data DIR
SECRET=whsec_… python outside.py 8099
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

WEBHOOK = Webhook(os.environ["SECRET"])
THIRD = 3


class Triage(BaseHTTPRequestHandler):
    """One question, one answer."""

    def do_POST(self) -> None:
        """Another try while there were fewer than three; else as usual."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            ended = WEBHOOK.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_error(401)
            return
        is_failed = ended["result"] is not None and ended["result"]["exit_code"] != 0
        if not is_failed or ended["tries"] >= THIRD:
            self.send_response(204)  # as usual
            self.end_headers()
            return
        answer = json.dumps({"again": {"delay_s": 0.1}, "message": "not the third try yet"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Triage).serve_forever()
