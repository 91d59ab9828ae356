"""IBM Quantum on a port of this machine: Qiskit's own client talks to it over its own sockets, retries and all.

Addresses, fields and answers are those of the REST interface that the client of 2026 speaks. What is refused, and in
which words, each test puts into `answers`.
"""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import qiskit_ibm_runtime.fake_provider.backends.manila as manila

TOKEN = "t0ken-that-nobody-may-see"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:11111111-2222-3333-4444-555555555555::"
DEVICE = "ibm_manila"
BEARER = jwt.encode({"iat": 1, "exp": 4102444800}, "a key of thirty-two bytes or more", algorithm="HS256")
CONFIGURATION = json.loads((Path(manila.__file__).parent / "conf_manila.json").read_text()) | {"backend_name": DEVICE}
PROPERTIES = json.loads((Path(manila.__file__).parent / "props_manila.json").read_text()) | {"backend_name": DEVICE}

# "HOST METHOD /path" -> what the service says where nothing is wrong.
WELL = {
    "iam POST /identity/token": {
        "access_token": BEARER, "refresh_token": "-", "token_type": "Bearer", "expires_in": 3600,
        "expiration": 4102444800, "scope": "ibm openid",
    },
    "search POST /v3/resources/search": {
        "items": [{"crn": CRN, "name": "mine", "tags": [], "service_plan_unique_id": "plan",
                   "doc": {"extensions": {"backends": [DEVICE]}}}],
    },
    "catalog GET /api/v1/plan": {
        "overview_ui": {"en": {"display_name": "Open"}}, "metadata": {"pricing": {"type": "free"}},
    },
    "quantum GET /api/v1/backends": {
        "devices": [{"name": DEVICE, "status": {"name": "online"}, "queue_length": 3, "qubits": 5}],
    },
    f"quantum GET /api/v1/backends/{DEVICE}/configuration": CONFIGURATION,
    f"quantum GET /api/v1/backends/{DEVICE}/properties": PROPERTIES,
    f"quantum GET /api/v1/backends/{DEVICE}/status": {"state": True, "status": "active", "length_queue": 3},
    "quantum GET /api/v1/instances/usage": {"usage_limit_reached": False, "usage_remaining_seconds": 600},
    "quantum POST /api/v1/jobs": {"id": "job1", "backend": DEVICE},
    "quantum GET /api/v1/jobs": {"jobs": [], "count": 0, "limit": 1, "offset": 0},
    "quantum GET /api/v1/jobs/job1": {
        "id": "job1", "backend": DEVICE, "program": {"id": "executor"}, "created": "2026-11-26T12:00:00Z",
        "state": {"status": "Queued"}, "status": "Queued", "params": {}, "tags": [],
    },
    "quantum POST /api/v1/jobs/job1/cancel": {},
}  # fmt: skip


def host_word(host):
    """Return which of IBM's services an address is of."""
    first = host.split(":")[0].removesuffix(".cloud.test")
    return {"api.global-search-tagging": "search", "globalcatalog": "catalog"}.get(first, first)


class FakeIBM:
    """The service.

    Attributes:
        answers: "HOST METHOD /path" -> (status, JSON body or text, headers) in place of what WELL says.
        asked: All requests that came, in the same words.
    """

    def __init__(self):
        self.answers, self.asked = {}, []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                word = f"{host_word(self.headers['Host'])} {self.command} {self.path.split('?')[0]}"
                service.asked.append(word)
                missing = (404, {"errors": [{"code": 1279, "message": "Instance not found"}]}, {})
                status, body, headers = service.answers.get(word) or (
                    (200, WELL[word], {}) if word in WELL else missing
                )
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": len(text), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = do_PUT = answer

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def says(self, word, status, body, **headers):
        """Let a request be answered with a status and a body."""
        self.answers[word] = (status, body, headers)

    def connect(self, address, *given, **named):
        """Connect to this service in place of any of IBM's hosts; there is no other network."""
        assert address[0].endswith(".cloud.test"), f"a test asks {address[0]}"
        return socket.create_connection(self.server.server_address)

    def close(self):
        """End the service."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
