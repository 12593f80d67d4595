"""A domain as AWS has it, as far as it can be had here, and CloudFormation's side of a custom resource.

Behind `domain` is a real OpenSearch for everything that it knows: templates, indices, aliases, documents. Its minimal
distribution has neither index state management nor fine-grained access control nor Dashboards, so those three are stood
in for, in memory, with the requests and answers that their documentation and sources give. What is proven of them here
is what we send, in which order and how often; not that a plugin takes it.
"""

import json
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

POLICIES = "/_plugins/_ism/policies/"
SECURITY = "/_plugins/_security/api/"
OBJECTS = "/_dashboards/api/saved_objects/"
RETRY = {"count": 3, "backoff": "exponential", "delay": "1m"}


class Server:
    """An HTTP server on loopback that answers as `answer` says, and is stopped by who started it."""

    def __init__(self, answer: Callable[[str, str, bytes, Any], tuple[int, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, told = answer(self.command, self.path, body, self.headers)
                data = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Domain:
    """See this module's docstring. `calls` has every request that was answered; the rest makes it answer badly."""

    def __init__(self, opensearch: str) -> None:
        self._opensearch = opensearch
        self.calls: list[tuple[str, str]] = []
        self.fail_with: list[int] = []
        """Statuses of the next answers."""
        self.hang_at: int | None = None
        """The number of the request, from 0, that is never answered."""
        self.without: set[str] = set()
        """Of ism, security and dashboards, what this domain has not."""
        self.policies: dict[str, dict[str, Any]] = {}
        self.managed: dict[str, dict[str, Any]] = {}
        self.security: dict[str, dict[str, Any]] = {"roles": {"all_access": {}}, "rolesmapping": {}}
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.refused_objects: dict[str, str] = {}
        self.headers: Any = None
        self._version = 0
        self._server = Server(self._answer)
        self.url = self._server.url

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What was asked that changes something."""
        return [call for call in self.calls if call[0] not in ("GET", "HEAD")]

    def stop(self) -> None:
        self._server.stop()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the OpenSearch behind it; None for what is not there."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        status, told = self._forward(method, path, data)
        assert status in (200, 201, 404), (status, told)
        return None if status == 404 else json.loads(told or b"null")

    def _answer(self, method: str, target: str, body: bytes, headers: Any) -> tuple[int, Any]:
        path = urlsplit(target).path
        if self.hang_at is not None and len(self.calls) >= self.hang_at:
            threading.Event().wait()
        self.calls.append((method, path))
        if self.fail_with:
            return self.fail_with.pop(0), {"message": "not yet"}
        for plugin, prefix, answer in (
            ("ism", "/_plugins/_ism/", self._ism),
            ("security", SECURITY, self._security),
            ("dashboards", OBJECTS, self._dashboards),
        ):
            if path.startswith(prefix) and plugin not in self.without:
                self.headers = headers
                query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
                return answer(method, path, query, body)
        if path == "/_cat/plugins" and "ism" not in self.without:
            return 200, [{"component": "opensearch-index-management"}]
        if "/_index_template/" in path and "ism" not in self.without:
            body = _without_plugin_settings(body)
        status, told = self._forward(method, target, body)
        if method == "PUT" and path.count("/") == 1 and status == 200:
            self._manage(path[1:])
        return status, told

    def _manage(self, index: str) -> None:
        """As index state management does a while after an index was made; it has not looked at it yet."""
        fit = [
            (rule["priority"], name)
            for name, held in self.policies.items()
            for rule in held["policy"]["ism_template"]
            if any(fnmatchcase(index, pattern) for pattern in rule["index_patterns"])
        ]
        if fit:
            self.managed[index] = {"policy_id": max(fit)[1], "policy": None}

    def _forward(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        kind = "application/x-ndjson" if "_bulk" in target else "application/json"
        request = urllib.request.Request(
            self._opensearch + target, data=body or None, method=method, headers={"content-type": kind}
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def _ism(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if path.startswith(POLICIES):
            return self._policy(method, path.removeprefix(POLICIES), query, body)
        action, names = path.removeprefix("/_plugins/_ism/").split("/", 1)
        if action == "explain":
            told: dict[str, Any] = {name: self._explain(name, query) for name in names.split(",")}
            return 200, {**told, "total_managed_indices": len(self.managed)}
        policy = json.loads(body)["policy_id"]
        failed = []
        for name in names.split(","):
            if action == "add" and name in self.managed:
                reason = "This index already has a policy, use the update policy API to update index policies"
                failed.append({"index_name": name, "reason": reason})
            else:
                self.managed[name] = {"policy_id": policy, "policy": self.policies[policy]["policy"]}
        updated = len(names.split(",")) - len(failed)
        return 200, {"updated_indices": updated, "failures": bool(failed), "failed_indices": failed}

    def _explain(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        managed = self.managed.get(name)
        told: dict[str, Any] = {"index.plugins.index_state_management.policy_id": managed and managed["policy_id"]}
        if managed and query.get("show_policy") == "true" and managed["policy"]:
            told["policy"] = managed["policy"]
        return told

    def _policy(self, method: str, name: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        there = self.policies.get(name)
        if method == "PUT":
            if (there or query) and (not there or query.get("if_seq_no") != str(there["_seq_no"])):
                return 409, {"error": {"type": "version_conflict_engine_exception", "reason": f"[{name}]: conflict"}}
            self._version += 1
            self.policies[name] = {
                "_id": name,
                "_seq_no": self._version,
                "_primary_term": 1,
                "policy": _with_defaults(name, json.loads(body)["policy"]),
            }
            return 201, self.policies[name]
        if there is None:
            return 404, {"error": {"type": "status_exception", "reason": "Policy not found"}, "status": 404}
        if method == "DELETE":
            del self.policies[name]
            return 200, {"result": "deleted"}
        return 200, there

    def _security(self, method: str, path: str, _query: dict[str, str], body: bytes) -> tuple[int, Any]:
        kind, name = path.removeprefix(SECURITY).split("/", 1)
        held = self.security[kind]
        if method == "PUT":
            lists = {"backend_roles": [], "users": [], "hosts": [], "and_backend_roles": []}
            defaults = lists if kind == "rolesmapping" else {"tenant_permissions": []}
            held[name] = {"reserved": False, "hidden": False, **defaults, **json.loads(body)}
            return 200, {"status": "OK", "message": f"'{name}' updated."}
        if name not in held:
            return 404, {"status": "NOT_FOUND", "message": f"Resource '{name}' not found."}
        if method == "DELETE":
            del held[name]
        return 200, {name: held.get(name)}

    def _dashboards(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        if not self.headers.get("osd-xsrf"):
            return 400, {"message": "Request must contain a osd-xsrf header."}
        if method == "DELETE":
            kind, name = path.removeprefix(OBJECTS).split("/")
            return (200, {}) if self.objects.pop((kind, name), None) else (404, {"message": "Not Found"})
        boundary = re.fullmatch("multipart/form-data; boundary=(.+)", self.headers["content-type"])
        assert boundary
        _, part, rest = body.split(b"--" + boundary[1].encode())
        assert rest == b"--\r\n"
        head, ndjson = part.split(b"\r\n\r\n", 1)
        assert b'name="file"; filename="sluice.ndjson"' in head
        errors = []
        for line in ndjson.split(b"\n"):
            if not line.strip():
                continue
            one = json.loads(line)
            if one["id"] in self.refused_objects:
                kind = self.refused_objects[one["id"]]
                errors.append({"id": one["id"], "type": one["type"], "error": {"type": kind}})
            else:
                assert query == {"overwrite": "true"}
                self.objects[one["type"], one["id"]] = one
        told = {"success": not errors, "successCount": len(self.objects)}
        return 200, {**told, "errors": errors} if errors else told


def _with_defaults(name: str, policy: dict[str, Any]) -> dict[str, Any]:
    """What index state management returns of a policy that it was given."""
    states = [
        {**state, "actions": [{"retry": RETRY, **action} for action in state["actions"]]} for state in policy["states"]
    ]
    rules = [{**rule, "last_updated_time": 1_795_228_590_123} for rule in policy["ism_template"]]
    added = {"policy_id": name, "schema_version": 21, "error_notification": None, "last_updated_time": 1}
    return {**policy, **added, "states": states, "ism_template": rules}


def _without_plugin_settings(body: bytes) -> bytes:
    """A template that an OpenSearch without the plugin takes, of one that the plugin's own takes."""
    if not body:
        return body
    template = json.loads(body)
    settings = template["template"].get("settings", {})
    settings.pop("index.plugins.index_state_management.rollover_alias", None)
    return json.dumps(template).encode()


@pytest.fixture
def prefix(opensearch_url: str) -> Iterator[str]:
    """An installation of its own: what was made for it is taken away."""
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    for path in (f"{name}*", f"_index_template/{name}*"):
        request = urllib.request.Request(f"{opensearch_url}/{path}", method="DELETE")
        try:
            urllib.request.urlopen(request, timeout=300).close()
        except HTTPError as error:
            if error.code != 404:
                raise


@pytest.fixture
def domain(opensearch_url: str) -> Iterator[Domain]:
    made = Domain(opensearch_url)
    yield made
    made.stop()


class CloudFormation:
    """Where answers are put. `fail_with` are the statuses of the next ones."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.fail_with: list[int] = []
        self.puts = 0
        self._server = Server(self._take)
        self.url = f"{self._server.url}/answer?X-Amz-Signature=secret"

    def _take(self, method: str, _target: str, body: bytes, headers: Any) -> tuple[int, Any]:
        self.puts += 1
        if self.fail_with:
            return self.fail_with.pop(0), b""
        # S3 refuses any other, for the address is signed without.
        if method != "PUT" or headers.get("content-type"):
            return 403, b"SignatureDoesNotMatch"
        self.answers.append(json.loads(body))
        return 200, b""

    @property
    def answer(self) -> dict[str, Any]:
        """The one answer there is; it fits into what CloudFormation takes."""
        (one,) = self.answers
        assert len(json.dumps(one)) <= 4096
        return one

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    made = CloudFormation()
    yield made
    made.stop()


class Context:
    """Lambda's, with so many seconds left."""

    def __init__(self, seconds: float = 300) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._end - time.monotonic()) * 1000))


@pytest.fixture
def context() -> Callable[..., Context]:
    return Context


@pytest.fixture
def make_plan(prefix: str) -> Callable[..., dict[str, Any]]:
    """Make a plan as sluice/search/plan.py does: a route without rotation, one with, and the failed index."""

    def make(
        *, days: int = 14, readers: tuple[str, ...] = ("arn:reader",), routes=("web", "web-api")
    ) -> dict[str, Any]:
        indices = [*(f"{prefix}-{route}" for route in routes), f"{prefix}_failed"]
        objects = ({"type": "index-pattern", "id": f"{prefix}-logs", "attributes": {"title": f"{prefix}-*"}},)
        return {
            "prefix": prefix,
            "templates": {name: _template(name) for name in indices},
            "policies": {name: _policy_of(name, days) for name in indices},
            "indices": {
                f"{name}-000001": {"aliases": {name: {"is_write_index": True}}}
                for name in (f"{prefix}-web-api", f"{prefix}_failed")
            },
            "roles": {
                f"{prefix}-read": {"index_permissions": [{"index_patterns": ["x"], "allowed_actions": ["read"]}]}
            },
            "role_mappings": {f"{prefix}-read": {"backend_roles": list(readers), "users": []}},
            "saved_objects": list(objects),
        }

    return make


def _template(name: str) -> dict[str, Any]:
    settings = {"number_of_replicas": 0, "index.plugins.index_state_management.rollover_alias": name}
    mappings = {"dynamic": False, "properties": {"@timestamp": {"type": "date_nanos"}, "code": {"type": "keyword"}}}
    return {
        "index_patterns": [f"{name}-*"],
        "priority": 200 + len(name),
        "template": {"settings": settings, "mappings": mappings},
    }


def _policy_of(name: str, days: int) -> dict[str, Any]:
    until = {"state_name": "deleted", "conditions": {"min_index_age": f"{days}d"}}
    states = [
        {"name": "kept", "actions": [{"rollover": {"min_size": "30gb"}}], "transitions": [until]},
        {"name": "deleted", "actions": [{"delete": {}}], "transitions": []},
    ]
    rule = {"index_patterns": [f"{name}-*"], "priority": 200 + len(name)}
    return {"policy": {"description": f"{days}", "default_state": "kept", "states": states, "ism_template": [rule]}}


@pytest.fixture
def make_event(cloudformation: CloudFormation, domain: Domain) -> Callable[..., dict[str, Any]]:
    """Make CloudFormation's event for a plan."""

    token = "arn:aws:lambda:eu-central-1:111122223333:function:setup"

    def properties(plan: dict[str, Any], more: dict[str, str]) -> dict[str, str]:
        return {"ServiceToken": token, "Endpoint": domain.url, "Service": "es", "Plan": json.dumps(plan), **more}

    def make(kind: str, plan: dict[str, Any], *, old: dict[str, Any] | None = None, **more: str) -> dict[str, Any]:
        event = {
            "RequestType": kind,
            "ResponseURL": cloudformation.url,
            "StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/shop/1",
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": "Setup",
            "ResourceType": "Custom::SluiceSearch",
            "ResourceProperties": properties(plan, more),
        }
        if kind != "Create":
            event["PhysicalResourceId"] = "sluice-search-Setup"
        if old is not None:
            event["OldResourceProperties"] = properties(old, more)
        return event

    return make
